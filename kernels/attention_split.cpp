#include "kernels/attention_split.h"

#include <algorithm>
#include <limits>

namespace lil::kernels::cpu {
namespace {

/// Slots of a split's entries, which begin at `place` of the request's list.
void find_slots(const PageLists& lists, std::int64_t request, std::int64_t place, AttentionSplit& split) {
  const std::int32_t* page = lists.pages + request * lists.stride + place / lists.page_size;
  std::int64_t* slots = split.slots.data();
  if (lists.page_size == 1) {
    std::copy_n(page, split.entries, slots);
    return;
  }
  std::int64_t in_page = place % lists.page_size;
  for (std::int64_t i = 0; i < split.entries; ++page) {
    const std::int64_t count = std::min(lists.page_size - in_page, split.entries - i);
    const std::int64_t first = std::int64_t{*page} * lists.page_size + in_page;
    for (std::int64_t k = 0; k < count; ++k) slots[i + k] = first + k;
    i += count;
    in_page = 0;
  }
}

}  // namespace

bool AttentionRun::next(AttentionSplit& split) {
  const std::int64_t splits = splits_of(args_.lists.max_tokens);
  for (; next_ < end_; ++next_) {
    const std::int64_t request = next_ / splits;
    const std::int64_t place = next_ % splits * kSplitTokens;
    split.lse = args_.partial_lse + next_ * args_.group;
    split.entries = std::min(kSplitTokens, args_.lists.tokens[request] - place);
    if (split.entries <= 0) {
      std::fill_n(split.lse, args_.group, -std::numeric_limits<float>::infinity());
      continue;
    }
    const std::int64_t element_bytes = bytes_of(args_.dtype);
    split.queries =
        static_cast<const std::byte*>(args_.queries) + request * args_.query_request_stride * element_bytes;
    split.query_head_bytes = args_.query_head_stride * element_bytes;
    split.keys = static_cast<const std::byte*>(args_.keys);
    split.values = static_cast<const std::byte*>(args_.values);
    split.key_slot_bytes = args_.key_slot_stride * element_bytes;
    split.value_slot_bytes = args_.value_slot_stride * element_bytes;
    split.out = args_.partial_out + next_ * args_.group * args_.head_dim;
    split.logits = args_.logits == nullptr
                       ? nullptr
                       : args_.logits + request * args_.group * args_.logits_stride + place;
    find_slots(args_.lists, request, place, split);
    ++next_;
    return true;
  }
  return false;
}

}  // namespace lil::kernels::cpu
