#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
namespace {

/// Worth of a score, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfScore = 128;

constexpr int kDigitBits = 8;
constexpr std::uint32_t kDigits = 1U << kDigitBits;

/// Integers in the order of the scores; -0 and 0 get the same.
std::uint32_t order_of(float score) {
  const auto bits = score == 0 ? 0U : std::bit_cast<std::uint32_t>(score);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

/// What is kept: the scores above `order`, and of those that equal it all but the first `skipped`.
struct Threshold {
  std::uint32_t order = 0;
  std::int64_t skipped = 0;
};

Threshold all_but_the_least(const float* scores, std::int64_t count) {
  std::uint32_t least = ~0U;
  for (std::int64_t i = 0; i < count; ++i) {
    least = std::min(least, order_of(scores[i]));
  }
  return {least, 1};
}

/// The `wanted` highest of `count`, 1 <= wanted < count: the threshold's digits from the highest down, each
/// from a count of the digits among the scores that share those before [radix select].
Threshold highest(const float* scores, std::int64_t count, std::int64_t wanted) {
  if (wanted == count - 1) {
    return all_but_the_least(scores, count);
  }
  std::uint32_t prefix = 0;
  std::int64_t equal = 0;
  for (int shift = 32 - kDigitBits; shift >= 0; shift -= kDigitBits) {
    std::array<std::int64_t, kDigits> digits{};
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint64_t order = order_of(scores[i]);
      if (order >> (shift + kDigitBits) == prefix) {
        ++digits[(order >> shift) % kDigits];
      }
    }
    std::uint32_t digit = kDigits - 1;
    for (; digits[digit] < wanted; --digit) {
      wanted -= digits[digit];
    }
    prefix = prefix << kDigitBits | digit;
    equal = digits[digit];
  }
  return {prefix, equal - wanted};
}

void select_row(const TopkArgs& args, std::int64_t row) {
  const float* scores = args.scores + row * args.scores_stride;
  std::int32_t* places = args.places + row * args.places_stride;
  const std::int32_t count = args.counts[row];
  const std::int32_t front = args.front == nullptr ? 0 : std::min(args.front[row], count);
  const std::int32_t back = args.back == nullptr ? 0 : std::min(args.back[row], count - front);
  const std::int32_t wanted = std::min(args.keep[row], count) - front - back;
  const std::int32_t middle = count - front - back;

  std::int32_t kept = 0;
  const auto keep_range = [&](std::int32_t first, std::int32_t last) {
    for (; first < last; ++first) {
      places[kept++] = first;
    }
  };
  if (wanted >= middle) {
    keep_range(0, count);
  } else {
    keep_range(0, front);
    if (wanted > 0) {
      Threshold threshold = highest(scores + front, middle, wanted);
      for (std::int32_t place = front; place < count - back; ++place) {
        const std::uint32_t order = order_of(scores[place]);
        if (order > threshold.order || (order == threshold.order && threshold.skipped-- <= 0)) {
          places[kept++] = place;
        }
      }
    }
    keep_range(count - back, count);
  }
  args.kept[row] = kept;
}

}  // namespace

Status topk(const TopkArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const auto scores = std::accumulate(args.counts, args.counts + args.rows, std::int64_t{0});
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, scores * kBytesOfScore), args.rows,
                     [&](std::int64_t row) { select_row(args, row); });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
