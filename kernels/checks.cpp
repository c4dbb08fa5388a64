#include "kernels/checks.h"

#include <cstdint>

namespace lil::kernels {
namespace {

/// The widest head of every kernel.
constexpr std::int32_t kMaxHeadDim = 512;

Status ok_if(bool good) {
  return good ? Status::kOk : Status::kBadArguments;
}

bool is_valid(DType dtype) {
  return dtype == DType::kFp32 || dtype == DType::kBf16 || dtype == DType::kFp16;
}

bool is_valid(GroupReduce reduce) {
  return reduce == GroupReduce::kSum || reduce == GroupReduce::kMean || reduce == GroupReduce::kMax;
}

bool is_head_dim(std::int32_t head_dim) {
  return head_dim >= 1 && head_dim <= kMaxHeadDim;
}

/// RoPE turns pairs of channels, by a table of at least one position.
bool can_rotate(std::int32_t head_dim, std::int32_t rope_positions) {
  return head_dim % 2 == 0 && rope_positions >= 1;
}

template <class... Pointers>
bool all_given(const Pointers*... pointers) {
  return (... && (pointers != nullptr));
}

bool is_word(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % sizeof(std::uint32_t) == 0;
}

bool is_valid(const PageLists& lists) {
  return lists.page_size >= 1 && lists.max_tokens >= 0 &&
         lists.stride >= pages_of(lists.max_tokens, lists.page_size) && all_given(lists.tokens) &&
         (lists.max_tokens == 0 || all_given(lists.pages));
}

}  // namespace

// Arrays that hold something of every request are needed as soon as there is one; those that hold something
// of every entry, only where lists may have entries.

Status check(const AppendArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes =
      args.requests > 0 && is_head_dim(args.head_dim) && is_valid(args.dtype) && args.bounds_page_size >= 0;
  const bool strides = args.key_stride >= args.head_dim && args.value_stride >= args.head_dim &&
                       args.key_slot_stride >= args.head_dim && args.value_slot_stride >= args.head_dim;
  const bool pointers =
      all_given(args.keys, args.values, args.slots, args.key_pool, args.value_pool) &&
      (args.bounds_page_size == 0 || all_given(args.lows, args.highs)) &&
      ((args.rope == nullptr && args.slot_positions == nullptr) || all_given(args.positions));
  const bool rope = args.rope == nullptr || can_rotate(args.head_dim, args.rope_positions);
  return ok_if(sizes && strides && pointers && rope);
}

Status check(const RotateArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && is_head_dim(args.head_dim) && is_valid(args.dtype) &&
                     is_valid(args.lists) && can_rotate(args.head_dim, args.rope_positions) &&
                     args.place_stride >= 0;
  const bool strides = args.in_stride >= args.head_dim && args.out_stride >= args.head_dim &&
                       (args.in != args.out || args.in_stride == args.out_stride);
  const bool pointers = args.lists.max_tokens == 0 || all_given(args.in, args.out, args.rope);
  return ok_if(sizes && strides && pointers);
}

Status check(const DecodeAttentionArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.group >= 1 && is_head_dim(args.head_dim) &&
                     is_valid(args.dtype) && is_valid(args.lists);
  const bool strides = args.query_request_stride >= args.head_dim &&
                       args.query_head_stride >= args.head_dim && args.key_slot_stride >= args.head_dim &&
                       args.value_slot_stride >= args.head_dim &&
                       (args.logits == nullptr || args.logits_stride >= args.lists.max_tokens);
  const bool pointers = all_given(args.queries, args.partial_out, args.partial_lse) &&
                        (args.lists.max_tokens == 0 || all_given(args.keys, args.values));
  return ok_if(sizes && strides && pointers);
}

Status check(const MergeStatesArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.group >= 1 && is_head_dim(args.head_dim) &&
                     is_valid(args.dtype) && args.states >= 1;
  const bool strides = args.out_request_stride >= args.head_dim && args.out_head_stride >= args.head_dim;
  return ok_if(sizes && strides && all_given(args.partial_out, args.partial_lse, args.out));
}

Status check(const AccumulateScoresArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.group >= 1 && args.requests_per_set >= 1 &&
                     args.requests % args.requests_per_set == 0 && is_valid(args.lists) &&
                     is_valid(args.reduce);
  const bool heads = !args.per_query_head || (args.requests_per_set == 1 && args.score_head_stride >= 1);
  const bool strides = args.logits_stride >= args.lists.max_tokens;
  const bool pointers =
      all_given(args.lse) && (args.lists.max_tokens == 0 || all_given(args.logits, args.scores));
  return ok_if(sizes && heads && strides && pointers);
}

Status check(const PageBoundsArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && is_head_dim(args.head_dim) && is_valid(args.dtype) &&
                     is_valid(args.lists) && args.key_slot_stride >= args.head_dim;
  const bool pointers = args.lists.max_tokens == 0 || all_given(args.keys, args.lows, args.highs);
  return ok_if(sizes && pointers);
}

Status check(const PageScoresArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.group >= 1 && is_head_dim(args.head_dim) &&
                     is_valid(args.dtype) && is_valid(args.lists) && is_valid(args.reduce);
  // `sizes` first: pages_of divides by the page size.
  const bool strides = sizes && args.query_request_stride >= args.head_dim &&
                       args.query_head_stride >= args.head_dim &&
                       args.scores_stride >= pages_of(args.lists.max_tokens, args.lists.page_size);
  const bool pointers = all_given(args.queries) &&
                        (args.lists.max_tokens == 0 || all_given(args.lows, args.highs, args.scores));
  return ok_if(strides && pointers);
}

Status check(const TopkArgs& args) {
  if (args.rows == 0) {
    return Status::kOk;
  }
  const bool sizes =
      args.rows > 0 && args.max_count >= 0 && args.scores_stride >= args.max_count && args.places_stride >= 0;
  const bool pointers = all_given(args.counts, args.keep, args.kept) &&
                        (args.max_count == 0 || all_given(args.scores, args.places));
  return ok_if(sizes && pointers);
}

Status check(const CompactArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.max_count >= 0 && args.pages_stride >= args.max_count &&
                     args.places_stride >= 0 && args.freed_stride >= 0 && args.page_size >= 1;
  const bool pointers = all_given(args.counts, args.kept, args.freed_counts) &&
                        (args.max_count == 0 || all_given(args.pages, args.places, args.freed));
  return ok_if(sizes && pointers);
}

Status check(const CopyRowsArgs& args) {
  if (args.requests == 0) {
    return Status::kOk;
  }
  const bool sizes = args.requests > 0 && args.requests_per_set >= 1 &&
                     args.requests % args.requests_per_set == 0 && args.row_bytes >= 4 &&
                     args.row_bytes <= kCopyRowBytes && args.row_bytes % 4 == 0 && args.max_count >= 0;
  const auto holds_list = [&](const std::int32_t* list, std::int64_t stride) {
    return list == nullptr || stride == 0 || stride >= args.max_count;
  };
  const bool strides = holds_list(args.index, args.index_stride) &&
                       holds_list(args.out_index, args.out_index_stride) && args.in_request_rows >= 0 &&
                       args.out_request_rows >= 0;
  const bool pointers = all_given(args.counts) && (args.max_count == 0 || all_given(args.in, args.out)) &&
                        is_word(args.in) && is_word(args.out);
  return ok_if(sizes && strides && pointers);
}

Status check(const LinearArgs& args) {
  const bool sizes = args.rows >= 1 && args.rows <= kLinearRows && args.inputs >= 1 && args.outputs >= 1 &&
                     is_valid(args.dtype);
  const bool strides =
      args.weight_stride >= args.inputs && args.x_stride >= args.inputs && args.y_stride >= args.outputs;
  return ok_if(sizes && strides && all_given(args.weights, args.x, args.y));
}

Status check(const RmsNormArgs& args) {
  if (args.rows == 0) {
    return Status::kOk;
  }
  const bool sizes =
      args.rows > 0 && args.columns >= 1 && is_valid(args.dtype) && args.epsilon >= 0;  // NaN is not
  const bool strides = args.stream_stride >= args.columns && args.y_stride >= args.columns &&
                       (args.branch == nullptr || args.branch_stride >= args.columns);
  return ok_if(sizes && strides && all_given(args.stream, args.weight, args.y));
}

Status check(const SiluTimesArgs& args) {
  if (args.rows == 0) {
    return Status::kOk;
  }
  const bool sizes = args.rows > 0 && args.columns >= 1 && is_valid(args.dtype);
  const bool strides = args.gate_stride >= args.columns && args.up_stride >= args.columns;
  return ok_if(sizes && strides && all_given(args.gate, args.up));
}

Status check(const CastRowsArgs& args) {
  if (args.rows == 0) {
    return Status::kOk;
  }
  const auto is_side = [&](DType dtype) { return dtype == DType::kFp32 || dtype == args.dtype; };
  const bool sizes = args.rows > 0 && args.columns >= 1 && is_valid(args.dtype) && is_side(args.in_dtype) &&
                     is_side(args.out_dtype);
  const bool strides =
      args.in_stride >= args.columns && args.out_stride >= args.columns &&
      (args.in != args.out || (args.in_stride == args.out_stride && args.in_dtype == args.out_dtype));
  return ok_if(sizes && strides && all_given(args.in, args.out));
}

Status check(const DistributionArgs& args) {
  if (args.rows == 0) {
    return Status::kOk;
  }
  const bool sizes = args.rows > 0 && args.vocabulary >= 1 && args.vocabulary <= INT32_MAX &&
                     args.logits_stride >= args.vocabulary;
  return ok_if(sizes && all_given(args.logits, args.out));
}

}  // namespace lil::kernels
