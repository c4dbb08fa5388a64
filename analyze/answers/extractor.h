#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/named_spec.h"

namespace lil::analyze {

/// Longest answer that is kept, in bytes; anything longer is not an answer.
inline constexpr std::size_t kMaxAnswerBytes = 4096;

/// An answer, from that prefix of the text on in which it can be read.
struct FoundAnswer {
  std::size_t readable_at = 0;  ///< bytes of text that must be there
  bool at_end = false;          ///< readable only because the text is known to end here
  std::string answer;           ///< never empty
};

/// One way to read an answer from a text. Immutable; safe to share between threads.
class Extractor {
 public:
  Extractor() = default;
  virtual ~Extractor() = default;
  Extractor(const Extractor&) = delete;
  Extractor& operator=(const Extractor&) = delete;

  /// Every answer of `text`, in order of readable_at; the last one is the answer of the text. `finished`
  /// says that nothing follows, so that an answer which waits for its end may end with the text (marked
  /// at_end). Of a prefix, unfinished, it finds exactly those of the whole text that are not at_end and
  /// whose readable_at is within the prefix: so one pass serves every prefix. Takes time linear in `text`.
  [[nodiscard]] virtual std::vector<FoundAnswer> find(std::string_view text, bool finished) const = 0;
};

using ExtractorFactory = std::unique_ptr<Extractor> (*)(const schemas::Arguments& arguments);

}  // namespace lil::analyze
