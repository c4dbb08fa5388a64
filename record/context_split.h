#pragma once

#include <algorithm>
#include <cstdint>

namespace lil::record {

/// Sizes of InfLLM's parts of a context.
struct ContextSizes {
  std::int64_t init = 0;   ///< first tokens
  std::int64_t local = 1;  ///< of the window, the current token included
  std::int64_t block = 0;  ///< 0: no blocks, and what has left the window is out of reach
  std::int64_t topk = 0;   ///< blocks attended to

  /// The most entries attended to at once.
  [[nodiscard]] std::int64_t most() const { return init + local + (topk + 1) * block; }
};

/// A context of `tokens` tokens, the current one included, as its latest token attends to it [Xiao 2024,
/// InfLLM]: first tokens, blocks, what has left the window and fills no block yet, window. A block forms
/// after the attention of the token with which the remainder and the window reach local + block.
struct ContextSplit {
  std::int64_t init = 0;
  std::int64_t blocks = 0;
  std::int64_t remainder = 0;  ///< tokens
  std::int64_t local = 0;
  bool block_completes = false;  ///< after the attention, the remainder becomes block number `blocks`

  ContextSplit() = default;
  ContextSplit(const ContextSizes& sizes, std::int64_t tokens) : local(std::min(tokens, sizes.local)) {
    const std::int64_t left = tokens - local;
    init = std::min(left, sizes.init);
    const std::int64_t past = left - init;
    if (past == 0 || sizes.block == 0) return;
    blocks = (past - 1) / sizes.block;
    remainder = past - blocks * sizes.block;
    block_completes = remainder == sizes.block;
  }

  [[nodiscard]] std::int64_t chosen(const ContextSizes& sizes) const { return std::min(blocks, sizes.topk); }
  /// Entries attended to besides the window and the first tokens.
  [[nodiscard]] std::int64_t far(const ContextSizes& sizes) const {
    return chosen(sizes) * sizes.block + remainder;
  }
};

}  // namespace lil::record
