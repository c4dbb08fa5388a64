#pragma once

#include <cstdint>

#include "kernels/accumulate_scores.h"
#include "kernels/append.h"
#include "kernels/cast_rows.h"
#include "kernels/compact.h"
#include "kernels/copy_rows.h"
#include "kernels/decode_attention.h"
#include "kernels/distribution.h"
#include "kernels/linear.h"
#include "kernels/merge_states.h"
#include "kernels/page_bounds.h"
#include "kernels/page_scores.h"
#include "kernels/rms_norm.h"
#include "kernels/rotate.h"
#include "kernels/silu_times.h"
#include "kernels/status.h"
#include "kernels/topk.h"

namespace lil::kernels {

/// The launchers of one kind of device, with one signature for all: the contract of each stands with its
/// arguments. Pointers are to memory of the device and the caller's own; a launcher allocates nothing, and no
/// result depends on which other requests are in the call. With no requests it does nothing. Threads: calls
/// with different streams are independent.
struct Backend {
  const char* name = "";
  Status (*append)(const AppendArgs&, Stream) = nullptr;
  Status (*rotate)(const RotateArgs&, Stream) = nullptr;
  Status (*decode_attention)(const DecodeAttentionArgs&, Stream) = nullptr;
  Status (*merge_states)(const MergeStatesArgs&, Stream) = nullptr;
  Status (*accumulate_scores)(const AccumulateScoresArgs&, Stream) = nullptr;
  Status (*page_bounds)(const PageBoundsArgs&, Stream) = nullptr;
  Status (*page_scores)(const PageScoresArgs&, Stream) = nullptr;
  Status (*topk)(const TopkArgs&, Stream) = nullptr;
  Status (*compact)(const CompactArgs&, Stream) = nullptr;
  Status (*copy_rows)(const CopyRowsArgs&, Stream) = nullptr;

  // Work on rows of activations. Null where a library serves instead, as on a GPU.
  Status (*linear)(const LinearArgs&, Stream) = nullptr;
  Status (*linear_together)(const LinearArgs* all, std::int64_t count, Stream) = nullptr;
  Status (*rms_norm)(const RmsNormArgs&, Stream) = nullptr;
  Status (*silu_times)(const SiluTimesArgs&, Stream) = nullptr;
  Status (*cast_rows)(const CastRowsArgs&, Stream) = nullptr;
  Status (*distribution)(const DistributionArgs&, Stream) = nullptr;
};

/// Portable C++ with the widest vectors this processor has.
[[nodiscard]] const Backend& cpu_backend();

/// The CUDA kernels. Linked in only where they were compiled: by nvcc, or, in tests, by the host's compiler
/// against the emulation of tests/support/simt.
[[nodiscard]] const Backend& cuda_backend();

}  // namespace lil::kernels
