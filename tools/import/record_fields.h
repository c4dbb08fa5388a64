#pragma once

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lil::tools {

/// What a record may say, and `--field` may name.
enum class Field {
  kOutput,
  kGold,
  kId,
  kProblem,
  kPrompt,
  kProblemSet,
  kModel,
  kPolicy,
  kSampler,
  kCap,
  kFinish,
  kRepeat,
  kIds,
  kPromptIds,
};
inline constexpr std::size_t kFieldCount = 14;

[[nodiscard]] const char* to_string(Field field);

/// Where in a record each field stands: under the key or JSON pointer that was given for it, else under
/// the first of its usual keys that the record has. Immutable; safe to share between threads.
class FieldMap {
 public:
  /// Usual keys alone.
  FieldMap() = default;
  /// `specs` are `field=key` or `field=/json/pointer`. Throws Error(kUsage) that lists the known fields.
  [[nodiscard]] static FieldMap parse(std::span<const std::string> specs);

  [[nodiscard]] bool is_given(Field field) const {
    return given_[static_cast<std::size_t>(field)].has_value();
  }
  /// Any field that was given, or nothing.
  [[nodiscard]] std::vector<Field> given() const;
  /// The value, or null where the record has none, or one that is null-like.
  [[nodiscard]] const rapidjson::Value* find(const rapidjson::Value& record, Field field) const;
  /// For messages: the keys that find() looks for, as `'output', 'response'`.
  [[nodiscard]] std::string tried(Field field) const;
  /// Canonical spelling of what was given, ordered by field: `gold=answer`.
  [[nodiscard]] std::vector<std::string> specs() const;

 private:
  struct Given {
    std::string spelling;
    std::optional<rapidjson::Pointer> pointer;  ///< where the spelling begins with `/`
  };

  std::array<std::optional<Given>, kFieldCount> given_;
};

}  // namespace lil::tools
