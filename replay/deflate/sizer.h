#pragma once

#include <cstdint>
#include <string_view>

#include "replay/deflate/block.h"
#include "replay/deflate/match_finder.h"

namespace lil::replay::deflate {

/// The size of the deflate stream [RFC 1951] that zlib would make of a text: of
/// `deflateInit2(level, Z_DEFLATED, windowBits 15, memLevel 8, Z_DEFAULT_STRATEGY)` and one
/// `deflate(Z_FINISH)` over the whole text, to the byte, for levels 1 to 9. Nothing is compressed.
///
/// The text is parsed into literals and matches as zlib does it: greedily at levels 1 to 3, a match given up
/// for a longer one at the next byte at levels 4 to 9. A step of the parse is final as soon as no text to
/// come can change it, which is when no match it looked at reached the end. size() takes the few steps that
/// are left on trial and adds up: finished blocks, whose bits are final, and the cost of the open one, which
/// follows from how often each symbol occurs.
///
/// Written for zlib 1.2.11 to 1.3.1, whose generic encoder parses alike. Hardware-assisted builds and other
/// libraries by the same interface do not: whoever promises zlib's numbers compares first. Memory: 200 KiB,
/// whatever the text; feed() is O(1) a byte, amortised, with the level's bound on a search as its constant.
class Sizer {
 public:
  explicit Sizer(int level);

  void feed(std::string_view bytes);
  /// Bytes of the stream if the text ended here, without the wrapper of a format around it.
  [[nodiscard]] std::int64_t size();
  void reset();

  /// What zlib's configuration of a level says.
  struct Effort {
    bool lazy;            ///< levels 4 to 9
    std::uint32_t good;   ///< from a match this long on, a better one is sought in a quarter of the chain
    std::uint32_t eager;  ///< lazy: none better is sought for a match this long;
                          ///< greedy: positions inside a match longer than this are not entered
    SearchLimits search;
  };

 private:
  /// A parse up to a position of the finder's; copied to go on with it on trial.
  struct Parse {
    std::uint32_t at = 0;
    std::uint32_t length = kMinMatch - 1;  // of the match at the byte before, which may yet be given up
    std::uint32_t distance = 0;
    bool literal_waits = false;  // the byte before, unless a match starts there
    Block block;
    std::int64_t block_start = 0;  // in the whole text
    std::int64_t bits = 0;         // of the blocks before
  };

  /// Whether a step has all the text it can ask for, or the text ends here.
  enum class Until { kFinal, kEnd };

  template <Until until>
  void parse(Parse& parse);
  template <Until until>
  void parse_greedily(Parse& parse);
  template <Until until>
  void parse_lazily(Parse& parse);

  /// Enters the positions after `first` up to `last`, as far as three bytes of text are there.
  template <Until until>
  void enter_between(std::uint32_t first, std::uint32_t last);
  [[nodiscard]] bool zlib_slides_only_at_end(std::uint32_t position) const;
  [[nodiscard]] std::uint32_t reach_at(std::uint32_t position) const;
  void close_block(Parse& parse, std::uint32_t last_step, std::uint32_t end) const;

  Effort effort_;
  MatchFinder finder_;
  std::int64_t base_ = 0;  // of the finder's position 0, in the whole text
  Parse parse_;            // the final steps
};

}  // namespace lil::replay::deflate
