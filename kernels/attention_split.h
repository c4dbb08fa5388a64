#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/decode_attention.h"

namespace lil::kernels::cpu {

/// A split of a request, as the CPU's decode_attention works on it, in bytes instead of elements.
struct AttentionSplit {
  std::int64_t entries = 0;            ///< 1 to kSplitTokens
  const std::byte* queries = nullptr;  ///< of the request
  std::int64_t query_head_bytes = 0;
  const std::byte* keys = nullptr;
  const std::byte* values = nullptr;
  std::int64_t key_slot_bytes = 0;
  std::int64_t value_slot_bytes = 0;
  std::array<std::int64_t, kSplitTokens> slots;  ///< of the entries
  float* out = nullptr;                          ///< (group, head_dim)
  float* lse = nullptr;                          ///< (group)
  float* logits = nullptr;                       ///< of the split's first entry and the first head, or null
};

/// Some splits of a call, one after another, request by request.
class AttentionRun {
 public:
  /// Splits [first, end) of those of all requests.
  AttentionRun(const DecodeAttentionArgs& args, std::int64_t first, std::int64_t end)
      : args_(args), next_(first), end_(end) {}

  [[nodiscard]] const DecodeAttentionArgs& args() const { return args_; }

  /// The next split that has entries; writes the lse of those before it that have none. False: there is none.
  bool next(AttentionSplit& split);

 private:
  const DecodeAttentionArgs& args_;
  std::int64_t next_;
  std::int64_t end_;
};

}  // namespace lil::kernels::cpu
