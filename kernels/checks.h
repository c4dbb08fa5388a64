#pragma once

#include "kernels/backend.h"

namespace lil::kernels {

// What can be said of arguments without reading device memory: sizes are not negative, counts and lengths
// fit, strides hold a row, pointers that are needed are there. Every launcher of every backend asks this
// first, so all refuse the same calls. kOk or kBadArguments.

[[nodiscard]] Status check(const AppendArgs& args);
[[nodiscard]] Status check(const RotateArgs& args);
[[nodiscard]] Status check(const DecodeAttentionArgs& args);
[[nodiscard]] Status check(const MergeStatesArgs& args);
[[nodiscard]] Status check(const AccumulateScoresArgs& args);
[[nodiscard]] Status check(const PageBoundsArgs& args);
[[nodiscard]] Status check(const PageScoresArgs& args);
[[nodiscard]] Status check(const TopkArgs& args);
[[nodiscard]] Status check(const CompactArgs& args);
[[nodiscard]] Status check(const CopyRowsArgs& args);
[[nodiscard]] Status check(const LinearArgs& args);
[[nodiscard]] Status check(const RmsNormArgs& args);
[[nodiscard]] Status check(const SiluTimesArgs& args);
[[nodiscard]] Status check(const CastRowsArgs& args);
[[nodiscard]] Status check(const DistributionArgs& args);

}  // namespace lil::kernels
