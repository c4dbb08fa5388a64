#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/answers/extractor.h"

namespace lil::analyze {

/// `json` where a text has a JSON object with an answer; else `boxed`, and where a text has no complete box
/// `hash`, and else `phrase`.
inline constexpr std::string_view kDefaultExtractors = "json+boxed+hash+phrase";

/// A list of extractors in order of priority: the answer of a text is that of the first that finds one. So
/// once a box is complete, no fallback counts any more. Immutable; safe to share between threads.
class Extraction {
 public:
  /// `names` is extractors joined by `+`. Throws Error(kUsage) that lists the known ones.
  [[nodiscard]] static Extraction parse(std::string_view names);

  /// The list with the version of the extractors' code, as `json+boxed+hash+phrase/1`.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// As Extractor::find, of the whole list: changes of the answer, in order of (readable_at, at_end).
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool finished) const;

 private:
  std::string name_;
  std::vector<std::unique_ptr<Extractor>> extractors_;
};

}  // namespace lil::analyze
