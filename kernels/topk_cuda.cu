#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/launchers.h"

namespace lil::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr int kWarps = kThreads / kWarp;
constexpr unsigned kWholeWarp = 0xFFFFFFFFU;

constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kLaneDigits = kDigits / kWarp;

/// Integers in the order of the scores; -0 and 0 get the same.
__device__ unsigned order_of(float score) {
  const unsigned bits = score == 0 ? 0U : __float_as_uint(score);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

/// The scores that compete for a place: those between front and back.
struct Middle {
  simt::Global<const float> scores;
  std::int64_t first;
  std::int32_t count;

  __device__ unsigned order_at(std::int32_t i) const { return order_of(scores.load(first + i)); }
};

/// What is kept: the scores above `order`, and of those that equal it all but the first `skipped`.
struct Threshold {
  unsigned order;
  std::int32_t skipped;
};

/// Of the digits counted, the one that the score at rank `wanted` from the top has: the digit, the rank among
/// the scores that share it, and their number go to `found`. By one warp, each lane some neighbouring digits.
template <class Digits, class Found>
__device__ void find_digit(Digits& digits, std::int32_t wanted, Found& found) {
  const int lane = static_cast<int>(threadIdx.x);
  std::int32_t own = 0;
  for (int i = 0; i < kLaneDigits; ++i) {
    own += digits[lane * kLaneDigits + i];
  }
  std::int32_t from_here = own;  // scores with the digits of this lane and of those above
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const std::int32_t further = __shfl_down_sync(kWholeWarp, from_here, static_cast<unsigned>(distance));
    from_here += lane + distance < kWarp ? further : 0;
  }
  std::int32_t above = from_here - own;
  for (int i = kLaneDigits - 1; i >= 0; --i) {
    const std::int32_t count = digits[lane * kLaneDigits + i];
    if (above < wanted && wanted <= above + count) {
      found[0] = lane * kLaneDigits + i;
      found[1] = wanted - above;
      found[2] = count;
    }
    above += count;
  }
}

/// The threshold of the `wanted` highest, 1 <= wanted < middle.count: its digits from the highest down, each
/// from a count of the digits among the scores that share those before [radix select].
__device__ Threshold highest(const Middle& middle, std::int32_t wanted) {
  LIL_SHARED(std::int32_t, digits, kDigits);
  LIL_SHARED(std::int32_t, found, 3);
  const int thread = static_cast<int>(threadIdx.x);
  unsigned prefix = 0;
  unsigned prefix_mask = 0;
  std::int32_t equal = 0;
  for (int shift = 32 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    for (int digit = thread; digit < kDigits; digit += kThreads) {
      digits[digit] = 0;
    }
    __syncthreads();
    for (std::int32_t i = thread; i < middle.count; i += kThreads) {
      const unsigned order = middle.order_at(i);
      if ((order & prefix_mask) == prefix) {
        atomicAdd(&digits[(order >> shift) % kDigits], 1);
      }
    }
    __syncthreads();
    if (thread < kWarp) {
      find_digit(digits, wanted, found);
    }
    __syncthreads();
    prefix |= static_cast<unsigned>(found[0]) << shift;
    prefix_mask |= (kDigits - 1U) << shift;
    wanted = found[1];
    equal = found[2];
  }
  return {prefix, equal - wanted};
}

/// How many scores are above the threshold and how many equal it.
struct Tally {
  std::int32_t above;
  std::int32_t equal;
};

/// Writes the places of the kept scores in ascending order, from `out` on. Each warp takes one stretch of
/// them and counts it first, to know where it will write.
__device__ void write_kept(const Middle& middle, Threshold threshold, std::int32_t front,
                           simt::Global<std::int32_t> places, std::int64_t out) {
  LIL_SHARED(std::int32_t, above, kWarps);
  LIL_SHARED(std::int32_t, equal, kWarps);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int32_t stretch = ((middle.count - 1) / kThreads + 1) * kWarp;
  const std::int64_t stretch_begin = static_cast<std::int64_t>(warp) * stretch;
  const std::int64_t stretch_end =
      stretch_begin + stretch < middle.count ? stretch_begin + stretch : middle.count;

  Tally own{0, 0};
  for (std::int64_t i = stretch_begin + lane; i < stretch_end; i += kWarp) {
    const unsigned order = middle.order_at(static_cast<std::int32_t>(i));
    own.above += order > threshold.order ? 1 : 0;
    own.equal += order == threshold.order ? 1 : 0;
  }
  for (int distance = kWarp / 2; distance != 0; distance /= 2) {
    own.above += __shfl_xor_sync(kWholeWarp, own.above, distance);
    own.equal += __shfl_xor_sync(kWholeWarp, own.equal, distance);
  }
  if (lane == 0) {
    above[warp] = own.above;
    equal[warp] = own.equal;
  }
  __syncthreads();
  Tally before{0, 0};
  for (int i = 0; i < warp; ++i) {
    before.above += above[i];
    before.equal += equal[i];
  }

  const unsigned lower_lanes = (1U << lane) - 1U;
  for (std::int64_t first = stretch_begin; first < stretch_end; first += kWarp) {
    const std::int64_t i = first + lane;
    const unsigned order = i < stretch_end ? middle.order_at(static_cast<std::int32_t>(i)) : 0;
    const bool is_above = i < stretch_end && order > threshold.order;
    const bool is_equal = i < stretch_end && order == threshold.order;
    const unsigned above_lanes = __ballot_sync(kWholeWarp, is_above);
    const unsigned equal_lanes = __ballot_sync(kWholeWarp, is_equal);
    const std::int32_t equal_before = before.equal + __popc(equal_lanes & lower_lanes);
    const std::int32_t equal_kept = equal_before > threshold.skipped ? equal_before - threshold.skipped : 0;
    if (is_above || (is_equal && equal_before >= threshold.skipped)) {
      const std::int32_t rank = before.above + __popc(above_lanes & lower_lanes) + equal_kept;
      places.store(out + rank, front + static_cast<std::int32_t>(i));
    }
    before.above += __popc(above_lanes);
    before.equal += __popc(equal_lanes);
  }
}

/// Writes `count` places from `first` on.
__device__ void write_range(std::int32_t first, std::int32_t count, simt::Global<std::int32_t> places,
                            std::int64_t out) {
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < count; i += kThreads) {
    places.store(out + i, first + i);
  }
}

__device__ std::int32_t at_or_zero(const std::int32_t* values, std::int64_t i) {
  return values == nullptr ? 0 : simt::Global<const std::int32_t>(values).load(i);
}

__device__ std::int32_t smaller(std::int32_t a, std::int32_t b) {
  return a < b ? a : b;
}

/// A block for each row.
__global__ void topk_kernel(TopkArgs args) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t count = simt::Global<const std::int32_t>(args.counts).load(row);
  const std::int32_t keep = simt::Global<const std::int32_t>(args.keep).load(row);
  const std::int32_t front = smaller(at_or_zero(args.front, row), count);
  const std::int32_t back = smaller(at_or_zero(args.back, row), count - front);
  const std::int32_t wanted = smaller(keep, count) - front - back;
  const simt::Global<std::int32_t> places(args.places);
  const std::int64_t out = row * args.places_stride;
  const Middle middle{simt::Global<const float>(args.scores), row * args.scores_stride + front,
                      count - front - back};

  std::int32_t kept = count;
  if (wanted >= middle.count) {
    write_range(0, count, places, out);
  } else {
    const std::int32_t kept_middle = wanted > 0 ? wanted : 0;
    kept = front + kept_middle + back;
    write_range(0, front, places, out);
    if (wanted > 0) {
      write_kept(middle, highest(middle, wanted), front, places, out + front);
    }
    write_range(count - back, back, places, out + front + kept_middle);
  }
  if (threadIdx.x == 0) {
    simt::Global<std::int32_t>(args.kept).store(row, kept);
  }
}

}  // namespace

Status topk(const TopkArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.rows == 0) {
    return Status::kOk;
  }
  return simt::launch(topk_kernel, dim3(static_cast<unsigned>(args.rows)), kThreads, stream, args);
}

}  // namespace lil::kernels::cuda
