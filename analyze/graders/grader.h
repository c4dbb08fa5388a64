#pragma once

#include <memory>
#include <string_view>

#include "schemas/named_spec.h"
#include "schemas/trace.h"

namespace lil::analyze {

/// What a grader says of two answers.
enum class Comparison {
  kEqual,
  kUnequal,
  kUnread,   ///< either is not of the kind that this grader reads, or it cannot tell
  kTimeout,  ///< it would have taken more steps than it may; steps are counted, so it is the same everywhere
};

/// One notion of two answers being equal. Immutable; safe to share between threads.
class Grader {
 public:
  Grader() = default;
  virtual ~Grader() = default;
  Grader(const Grader&) = delete;
  Grader& operator=(const Grader&) = delete;

  /// Rises when any pair may be judged differently.
  [[nodiscard]] virtual int version() const = 0;
  /// Whether gold answers of this kind are for this grader. Of those that serve a kind, the first row of the
  /// registry that reads both sides decides.
  [[nodiscard]] virtual bool serves(schemas::AnswerKind kind) const = 0;
  /// Whether `answer` and `gold` are equal. Symmetric. Bounded in time and memory for any input; throws
  /// nothing.
  [[nodiscard]] virtual Comparison compare(std::string_view answer, std::string_view gold) const = 0;
};

using GraderFactory = std::unique_ptr<Grader> (*)(const schemas::Arguments& arguments);

}  // namespace lil::analyze
