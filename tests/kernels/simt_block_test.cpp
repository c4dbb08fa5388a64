// Blocks, barriers and warps of the emulation: what CUDA's programming guide says, and that each breach is
// found.

#include <gmock/gmock.h>

#include <numeric>

#include "tests/kernels/simt_support.h"

namespace lil::tests {
namespace {

using kernels::simt::Global;
using simt::Meeting;
using testing::AllOf;
using testing::HasSubstr;

constexpr unsigned kAll = 0xFFFFFFFFU;

// ---- grids

__global__ void note_indices(unsigned* visits) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const Global<unsigned> notes(visits);
  const std::int64_t i = block * blockDim.x + threadIdx.x;
  notes.store(i, notes.load(i) + 1000 * block + threadIdx.x + 1);
}

constexpr std::size_t kNotes = std::size_t{2} * 3 * 4 * 37;
constexpr std::size_t kTurns = std::size_t{3} * 40;

TEST(SimtBlock, EachThreadOfEachBlockRunsOnceInEveryOrder) {
  for (int order = 0; order < 5; ++order) {
    simt::set_order(order);
    EmulatedArray<unsigned> visits("visits", std::vector<unsigned>(kNotes, 0));
    EXPECT_EQ(faults_of(note_indices, dim3(2, 3, 4), 37, visits.data()), "");
    std::vector<unsigned> expected;
    for (unsigned block = 0; block < 2 * 3 * 4; ++block) {
      for (unsigned thread = 0; thread < 37; ++thread) expected.push_back(1000 * block + thread + 1);
    }
    EXPECT_EQ(visits.values(), expected);
  }
  simt::set_order(0);
}

__global__ void note_turns(int* turns, int* next) {
  const Global<int> counter(next);
  const int turn = counter.load(0);
  Global<int>(turns).store(turn, static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x));
  counter.store(0, turn + 1);
}

std::vector<int> turns_in(int order) {
  EmulatedArray<int> turns("turns", kTurns);
  EmulatedArray<int> next("next", std::vector<int>{0});
  simt::set_order(order);
  EXPECT_EQ(faults_of(note_turns, 3, 40, turns.data(), next.data()), "");
  simt::set_order(0);
  return turns.values();
}

TEST(SimtBlock, OrdersAreAscendingDescendingAndShuffles) {
  std::vector<int> ascending(kTurns);
  std::iota(ascending.begin(), ascending.end(), 0);
  EXPECT_EQ(turns_in(0), ascending);
  EXPECT_EQ(turns_in(1), std::vector<int>(ascending.rbegin(), ascending.rend()));
  EXPECT_NE(turns_in(2), ascending);
  EXPECT_NE(turns_in(2), turns_in(3));
  EXPECT_EQ(turns_in(2), turns_in(2));
  EXPECT_THAT(turns_in(2), testing::UnorderedElementsAreArray(ascending));
}

TEST(SimtBlock, GridsThatCudaRefusesAreFaults) {
  EmulatedArray<unsigned> visits("visits", std::vector<unsigned>(1, 0));
  EXPECT_THAT(faults_of(note_indices, dim3(0), 32, visits.data()), HasSubstr("0 x 1 x 1 blocks of 32"));
  EXPECT_THAT(faults_of(note_indices, dim3(1), 0, visits.data()), HasSubstr("not allowed"));
  EXPECT_THAT(faults_of(note_indices, dim3(1), 1025, visits.data()), HasSubstr("not allowed"));
  EXPECT_THAT(faults_of(note_indices, dim3(1, 65536), 1, visits.data()), HasSubstr("not allowed"));
  EXPECT_EQ(faults_of(note_indices, dim3(1), 1, visits.data()), "");
}

// ---- barriers

__global__ void reverse_block(const int* in, int* out) {
  LIL_SHARED(int, values, 96);
  values[threadIdx.x] = Global<const int>(in).load(threadIdx.x);
  __syncthreads();
  Global<int>(out).store(threadIdx.x, values[95 - threadIdx.x]);
}

TEST(SimtBlock, WhatThreadsWriteBeforeABarrierAllReadAfterIt) {
  std::vector<int> numbers(96);
  std::iota(numbers.begin(), numbers.end(), 5);
  EmulatedArray<int> in("in", numbers);
  for (int order = 0; order < 4; ++order) {
    simt::set_order(order);
    EmulatedArray<int> out("out", 96);
    EXPECT_EQ(faults_of(reverse_block, 1, 96, in.data(), out.data()), "");
    EXPECT_EQ(out.values(), std::vector<int>(numbers.rbegin(), numbers.rend()));
  }
  simt::set_order(0);
}

__global__ void count_predicates(int threshold, int* out) {
  const int predicate = static_cast<int>(threadIdx.x) < threshold ? 7 : 0;
  const int any = __syncthreads_or(predicate);
  const int all = __syncthreads_and(predicate);
  const int count = __syncthreads_count(predicate);
  Global<int>(out).store(threadIdx.x, any * 10000 + all * 1000 + count);
}

TEST(SimtBlock, BarriersWithPredicates) {
  EmulatedArray<int> out("out", 70);
  const std::vector<std::pair<int, int>> expected = {{0, 0}, {1, 10001}, {69, 10069}, {70, 11070}};
  for (const auto& [threshold, answer] : expected) {
    EXPECT_EQ(faults_of(count_predicates, 1, 70, threshold, out.data()), "");
    EXPECT_EQ(out.values(), std::vector<int>(70, answer));
  }
}

__global__ void one_thread_ends(unsigned which) {
  if (threadIdx.x == which) return;
  __syncthreads();
}

TEST(SimtBlock, AThreadThatEndsBeforeABarrierIsAFault) {
  const std::string faults = faults_of(one_thread_ends, dim3(1, 2), 64, 17);
  EXPECT_THAT(faults, AllOf(HasSubstr("barrier divergence"), HasSubstr("thread 17 has ended"),
                            HasSubstr("__syncthreads at simt_block_test.cpp"), HasSubstr("(one_thread_ends)"),
                            HasSubstr("of block 0,0,0"), HasSubstr("launched at")));
  EXPECT_EQ(faults_of(one_thread_ends, dim3(1, 2), 64, 64), "");
}

__global__ void two_barriers(unsigned threads_at_first) {
  // NOLINTNEXTLINE(bugprone-branch-clone): two places
  if (threadIdx.x < threads_at_first) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(SimtBlock, ThreadsAtTwoBarriersAreAFault) {
  EXPECT_THAT(faults_of(two_barriers, 1, 64, 40), HasSubstr("different barriers"));
  EXPECT_EQ(faults_of(two_barriers, 1, 64, 64), "");
  EXPECT_EQ(faults_of(two_barriers, 1, 64, 0), "");
}

__global__ void two_kinds(unsigned threads_at_first) {
  // clang-format off
  if (threadIdx.x < threads_at_first) { __syncthreads(); } else { __syncthreads_or(1); }
  // clang-format on
}

TEST(SimtBlock, ThreadsAtBarriersOfTwoKindsAreAFault) {
  EXPECT_THAT(faults_of(two_kinds, 1, 64, 63),
              AllOf(HasSubstr("__syncthreads "), HasSubstr("__syncthreads_or")));
  EXPECT_EQ(faults_of(two_kinds, 1, 64, 64), "");
}

__global__ void barrier_against_warp(unsigned at_barrier) {
  if (threadIdx.x < at_barrier) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

TEST(SimtBlock, ABarrierAgainstAWarpIsAFault) {
  EXPECT_THAT(faults_of(barrier_against_warp, 1, 64, 60),
              AllOf(HasSubstr("barrier divergence"), HasSubstr("__syncwarp")));
  EXPECT_EQ(faults_of(barrier_against_warp, 1, 64, 64), "");
  EXPECT_EQ(faults_of(barrier_against_warp, 1, 64, 0), "");
}

__global__ void barrier_in_a_loop(const int* rounds) {
  for (int i = 0; i < Global<const int>(rounds).load(threadIdx.x); ++i) __syncthreads();
}

TEST(SimtBlock, LoopsOfUnequalLengthOverABarrierAreAFault) {
  std::vector<int> rounds(64, 3);
  EmulatedArray<int> equal("rounds", rounds);
  EXPECT_EQ(faults_of(barrier_in_a_loop, 1, 64, equal.data()), "");
  rounds[63] = 2;
  EmulatedArray<int> unequal("rounds", rounds);
  EXPECT_THAT(faults_of(barrier_in_a_loop, 1, 64, unequal.data()), HasSubstr("thread 63 has ended"));
}

TEST(SimtBlock, AFaultEndsTheLaunchAndLeavesNoTrace) {
  EmulatedArray<unsigned> visits("visits", std::vector<unsigned>(64, 0));
  for (int i = 0; i < 3; ++i) {
    for (int order = 0; order < 4; ++order) {
      simt::set_order(order);
      EXPECT_NE(faults_of(one_thread_ends, 5, 64, 0), "");
      EXPECT_EQ(faults_of(note_indices, 1, 64, visits.data()), "");
    }
  }
  simt::set_order(0);
  EXPECT_EQ(visits.values()[63], 12U * 64);
}

// ---- shuffles

/// One shuffle of each lane's number; `lanes_in` of the warp take part.
__global__ void shuffle_lanes(Meeting kind, unsigned mask, int operand, int width, const int* in, int* out) {
  if ((mask >> threadIdx.x & 1U) == 0) return;
  const int value = Global<const int>(in).load(threadIdx.x);
  int result = 0;
  switch (kind) {
    case Meeting::kShuffleIndex:
      result = __shfl_sync(mask, value, operand, width);
      break;
    case Meeting::kShuffleUp:
      result = __shfl_up_sync(mask, value, static_cast<unsigned>(operand), width);
      break;
    case Meeting::kShuffleDown:
      result = __shfl_down_sync(mask, value, static_cast<unsigned>(operand), width);
      break;
    default:
      result = __shfl_xor_sync(mask, value, operand, width);
  }
  Global<int>(out).store(threadIdx.x, result);
}

/// The lane that a lane reads, in the words of the guide: the warp is cut into parts of `width` lanes.
int source_of(Meeting kind, int lane, int operand, int width) {
  const int part = lane / width * width;
  const int place = lane - part;
  switch (kind) {
    case Meeting::kShuffleIndex:
      return part + ((operand % width) + width) % width;
    case Meeting::kShuffleUp:  // "will not wrap around the value of width, so effectively the lower delta
                               // lanes
      return place - operand < 0 ? lane : lane - operand;  // will be unchanged"
    case Meeting::kShuffleDown:
      return place + operand >= width ? lane : lane + operand;
    default: {  // "can access elements from earlier groups", but not from later ones: then its own
      const int source = lane ^ operand;
      return source / width > lane / width ? lane : source;
    }
  }
}

TEST(SimtWarp, ShufflesReadTheLaneThatTheGuideNames) {
  std::vector<int> numbers(32);
  std::iota(numbers.begin(), numbers.end(), 100);
  EmulatedArray<int> in("in", numbers);
  EmulatedArray<int> out("out", 32);
  for (const Meeting kind :
       {Meeting::kShuffleIndex, Meeting::kShuffleUp, Meeting::kShuffleDown, Meeting::kShuffleXor}) {
    for (const int width : {1, 2, 4, 8, 16, 32}) {
      for (int operand = 0; operand < 32; ++operand) {
        ASSERT_EQ(faults_of(shuffle_lanes, 1, 32, kind, kAll, operand, width, in.data(), out.data()), "");
        for (int lane = 0; lane < 32; ++lane) {
          ASSERT_EQ(out.values()[lane], 100 + source_of(kind, lane, operand, width))
              << "kind " << static_cast<int>(kind) << " operand " << operand << " width " << width;
        }
      }
    }
  }
}

__global__ void sum_of_each_type(double* out) {
  const double thread = threadIdx.x;
  double wide = thread;
  float narrow = static_cast<float>(threadIdx.x);
  long long number = threadIdx.x;
  __half half = __float2half_rn(narrow);
  for (int d = 16; d > 0; d /= 2) {
    wide += __shfl_xor_sync(kAll, wide, d);
    narrow += __shfl_xor_sync(kAll, narrow, d);
    number += __shfl_xor_sync(kAll, number, d);
    half = __float2half_rn(__half2float(half) + __half2float(__shfl_xor_sync(kAll, half, d)));
  }
  Global<double>(out).store(threadIdx.x, wide + 1000 * double{narrow} + 1e6 * static_cast<double>(number) +
                                             1e9 * double{__half2float(half)});
}

TEST(SimtWarp, ButterfliesSumEveryTypeInEveryOrder) {
  for (int order = 0; order < 4; ++order) {
    simt::set_order(order);
    EmulatedArray<double> out("out", 128);
    EXPECT_EQ(faults_of(sum_of_each_type, 1, 128, out.data()), "");
    for (int warp = 0; warp < 4; ++warp) {
      const double sum = 31 * 16 + 32 * 32 * warp;
      EXPECT_EQ(out.values()[warp * 32 + 7], sum * (1 + 1e3 + 1e6 + 1e9));
    }
  }
  simt::set_order(0);
}

TEST(SimtWarp, PartsOfAWarpShuffleAmongThemselves) {
  std::vector<int> numbers(32);
  std::iota(numbers.begin(), numbers.end(), 0);
  EmulatedArray<int> in("in", numbers);
  EmulatedArray<int> out("out", std::vector<int>(32, -1));
  EXPECT_EQ(faults_of(shuffle_lanes, 1, 32, Meeting::kShuffleXor, 0x0F0U, 1, 32, in.data(), out.data()), "");
  const std::vector<int> all = out.values();
  EXPECT_THAT(std::vector<int>(all.begin() + 3, all.begin() + 9), testing::ElementsAre(-1, 5, 4, 7, 6, -1));
}

TEST(SimtWarp, ReadingALaneOutsideTheMaskIsAFault) {
  EmulatedArray<int> in("in", std::vector<int>(32, 1));
  EmulatedArray<int> out("out", 32);
  EXPECT_THAT(
      faults_of(shuffle_lanes, 1, 32, Meeting::kShuffleXor, 0x0F0U, 8, 32, in.data(), out.data()),
      AllOf(HasSubstr("lane 4 reads lane 12"), HasSubstr("0x000000f0"), HasSubstr("__shfl_xor_sync")));
}

TEST(SimtWarp, WidthsAndDistancesThatTheGuideDoesNotKnowAreFaults) {
  EmulatedArray<int> in("in", std::vector<int>(32, 1));
  EmulatedArray<int> out("out", 32);
  for (const int width : {0, 3, 64}) {
    EXPECT_THAT(faults_of(shuffle_lanes, 1, 32, Meeting::kShuffleXor, kAll, 1, width, in.data(), out.data()),
                HasSubstr("width"));
  }
  EXPECT_THAT(faults_of(shuffle_lanes, 1, 32, Meeting::kShuffleDown, kAll, 32, 32, in.data(), out.data()),
              HasSubstr("over 32 lanes"));
}

__global__ void shuffle_of_some(unsigned lanes, unsigned mask) {
  if (threadIdx.x < lanes) static_cast<void>(__shfl_xor_sync(mask, 1.0F, 1));
}

TEST(SimtWarp, ALaneThatTheMaskNamesMustTakePart) {
  EXPECT_EQ(faults_of(shuffle_of_some, 1, 32, 32, kAll), "");
  EXPECT_EQ(faults_of(shuffle_of_some, 1, 32, 16, 0xFFFFU), "");
  EXPECT_THAT(faults_of(shuffle_of_some, 1, 32, 30, kAll),
              HasSubstr("lane 30 does not take part: it has ended"));
  EXPECT_THAT(faults_of(shuffle_of_some, 1, 24, 24, kAll),
              HasSubstr("lane 24 does not take part: it does not exist"));
  EXPECT_THAT(faults_of(shuffle_of_some, 1, 32, 16, 0xFFU), HasSubstr("which leaves it out"));
}

__global__ void shuffles_apart(unsigned lanes_at_first) {
  // NOLINTNEXTLINE(bugprone-branch-clone): two places
  if (threadIdx.x < lanes_at_first) {
    static_cast<void>(__shfl_xor_sync(kAll, 1, 1));
  } else {
    static_cast<void>(__shfl_xor_sync(kAll, 1, 1));
  }
}

TEST(SimtWarp, LanesThatMeetAtDifferentPlacesAreAFault) {
  EXPECT_THAT(faults_of(shuffles_apart, 1, 32, 8), HasSubstr("different places"));
  EXPECT_EQ(faults_of(shuffles_apart, 1, 32, 32), "");
}

__global__ void lane_before_a_barrier() {
  if (threadIdx.x == 3) {
    __syncthreads();
    static_cast<void>(__any_sync(kAll, 1));
  } else {
    static_cast<void>(__any_sync(kAll, 1));
    __syncthreads();
  }
}

TEST(SimtWarp, ALaneThatWaitsAtABarrierDoesNotTakePart) {
  EXPECT_THAT(
      faults_of(lane_before_a_barrier, 1, 32),
      AllOf(HasSubstr("__any_sync"), HasSubstr("lane 3 does not take part: it waits in __syncthreads")));
}

// ---- votes and reductions

constexpr int kVotes = 11;

__global__ void vote(unsigned mask, const int* in, unsigned* out) {
  if ((mask >> threadIdx.x & 1U) == 0) return;
  const int value = Global<const int>(in).load(threadIdx.x);
  const unsigned bits = static_cast<unsigned>(value);
  const unsigned results[kVotes] = {__ballot_sync(mask, value > 0),
                                    static_cast<unsigned>(__any_sync(mask, value > 0)),
                                    static_cast<unsigned>(__all_sync(mask, value > 0)),
                                    __match_any_sync(mask, value),
                                    static_cast<unsigned>(__reduce_min_sync(mask, value)),
                                    static_cast<unsigned>(__reduce_max_sync(mask, value)),
                                    static_cast<unsigned>(__reduce_add_sync(mask, value)),
                                    __reduce_max_sync(mask, bits),
                                    __reduce_and_sync(mask, bits),
                                    __reduce_or_sync(mask, bits),
                                    __reduce_xor_sync(mask, bits)};
  for (int i = 0; i < kVotes; ++i) Global<unsigned>(out).store(threadIdx.x * kVotes + i, results[i]);
}

std::vector<unsigned> plain_votes(unsigned mask, const std::vector<int>& values, int lane) {
  unsigned ballot = 0;
  unsigned match = 0;
  unsigned sum = 0;
  unsigned both = kAll;
  unsigned either = 0;
  unsigned odd = 0;
  std::vector<int> taking_part;
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    const unsigned bits = static_cast<unsigned>(values[i]);
    taking_part.push_back(values[i]);
    if (values[i] > 0) ballot |= 1U << i;
    if (values[i] == values[lane]) match |= 1U << i;
    sum += bits;
    both &= bits;
    either |= bits;
    odd ^= bits;
  }
  const std::vector<unsigned> as_bits(taking_part.begin(), taking_part.end());
  return {ballot,
          ballot != 0 ? 1U : 0U,
          ballot == mask ? 1U : 0U,
          match,
          static_cast<unsigned>(*std::min_element(taking_part.begin(), taking_part.end())),
          static_cast<unsigned>(*std::max_element(taking_part.begin(), taking_part.end())),
          sum,
          *std::max_element(as_bits.begin(), as_bits.end()),
          both,
          either,
          odd};
}

TEST(SimtWarp, VotesAndReductionsAgreeWithAPlainLoop) {
  const std::vector<std::vector<int>> inputs = {
      std::vector<int>(32, 0),
      std::vector<int>(32, 5),
      {-3, 7, 0, 1, 2, 7, -9, 4,  5, 6, 7, 8, 9,  10,  -11, 12,
       0,  0, 0, 1, 1, 1, -1, -1, 3, 3, 3, 3, 99, -99, 50,  0},
      {INT32_MAX, INT32_MIN, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1, 1, 1,
       1,         1,         1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
  for (const std::vector<int>& input : inputs) {
    EmulatedArray<int> in("in", input);
    for (const unsigned mask : {kAll, 0x0000FFFFU, 0x80000001U, 0x00000010U}) {
      EmulatedArray<unsigned> out("out", std::size_t{32} * kVotes);
      ASSERT_EQ(faults_of(vote, 1, 32, mask, in.data(), out.data()), "");
      for (int lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1U) == 0) continue;
        const std::vector<unsigned> all = out.values();
        const auto first = all.begin() + std::ptrdiff_t{lane} * kVotes;
        ASSERT_EQ(std::vector<unsigned>(first, first + kVotes), plain_votes(mask, input, lane))
            << "lane " << lane << " mask " << mask;
      }
    }
  }
}

}  // namespace
}  // namespace lil::tests
