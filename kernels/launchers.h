#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace lil::kernels {

// What the backends are made of; callers go through kernels/backend.h.

namespace cpu {
Status append(const AppendArgs& args, Stream stream);
Status rotate(const RotateArgs& args, Stream stream);
Status decode_attention(const DecodeAttentionArgs& args, Stream stream);
Status merge_states(const MergeStatesArgs& args, Stream stream);
Status accumulate_scores(const AccumulateScoresArgs& args, Stream stream);
Status page_bounds(const PageBoundsArgs& args, Stream stream);
Status page_scores(const PageScoresArgs& args, Stream stream);
Status topk(const TopkArgs& args, Stream stream);
Status compact(const CompactArgs& args, Stream stream);
Status copy_rows(const CopyRowsArgs& args, Stream stream);
Status linear(const LinearArgs& args, Stream stream);
Status linear_together(const LinearArgs* all, std::int64_t count, Stream stream);
Status rms_norm(const RmsNormArgs& args, Stream stream);
Status silu_times(const SiluTimesArgs& args, Stream stream);
Status cast_rows(const CastRowsArgs& args, Stream stream);
Status distribution(const DistributionArgs& args, Stream stream);
}  // namespace cpu

namespace cuda {
Status append(const AppendArgs& args, Stream stream);
Status rotate(const RotateArgs& args, Stream stream);
Status decode_attention(const DecodeAttentionArgs& args, Stream stream);
Status merge_states(const MergeStatesArgs& args, Stream stream);
Status accumulate_scores(const AccumulateScoresArgs& args, Stream stream);
Status page_bounds(const PageBoundsArgs& args, Stream stream);
Status page_scores(const PageScoresArgs& args, Stream stream);
Status topk(const TopkArgs& args, Stream stream);
Status compact(const CompactArgs& args, Stream stream);
Status copy_rows(const CopyRowsArgs& args, Stream stream);
}  // namespace cuda

}  // namespace lil::kernels
