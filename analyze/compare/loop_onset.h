#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "schemas/ids.h"

namespace lil::analyze {

/// When the end of a generation counts as a loop: so many repeats of one period (the last may be cut off),
/// over so many tokens.
struct LoopDefinition {
  std::int64_t min_repeats = 3;  ///< 2 or more
  std::int64_t min_tokens = 64;
};

/// The end of a generation that repeats itself to its very last token.
struct Loop {
  std::int64_t onset = 0;   ///< tokens before the first that belongs to it
  std::int64_t period = 0;  ///< the least

  bool operator==(const Loop&) const = default;
};

/// The first token from which the rest of `ids` is periodic, exactly: the smallest `onset` for which there is
/// a period p with ids[i] = ids[i + p] wherever both are at `onset` or after, and at least max(min_repeats *
/// p, min_tokens) tokens there. Nothing where there is none. Linear in time and memory (the Z-function of the
/// reversed ids [Gusfield 1997, "Algorithms on Strings, Trees, and Sequences", 1.4]). What repeats with
/// variations, as a counter does, is no loop; nor is what the model left again, if only by its
/// end-of-sequence token.
[[nodiscard]] std::optional<Loop> find_loop(std::span<const schemas::TokenId> ids,
                                            const LoopDefinition& definition = {});

}  // namespace lil::analyze
