// Global and shared memory of the emulation: each forbidden access is found, its allowed twin is not.

#include <gmock/gmock.h>

#include "tests/kernels/simt_support.h"

namespace lil::tests {
namespace {

using kernels::simt::Global;
using testing::AllOf;
using testing::HasSubstr;

// ---- global memory

__global__ void copy_element(const float* in, std::int64_t from, float* out, std::int64_t to) {
  Global<float>(out).store(to, Global<const float>(in).load(from));
}

TEST(SimtGlobal, AccessesOutsideOfAnArrayAreFaults) {
  EmulatedArray<float> in("in", std::vector<float>(10, 2.5F));
  EmulatedArray<float> out("out", std::vector<float>(4, 0.0F));
  EXPECT_EQ(faults_of(copy_element, 1, 1, in.data(), 9, out.data(), 3), "");
  EXPECT_EQ(out.values(), (std::vector<float>{0, 0, 0, 2.5F}));
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 10, out.data(), 3),
              AllOf(HasSubstr("reads 4 bytes at byte 40 of \"in\""), HasSubstr("beyond its end"),
                    HasSubstr("simt_memory_test.cpp:"), HasSubstr("(copy_element)"),
                    HasSubstr("thread 0 of block 0,0,0")));
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), -1, out.data(), 3), HasSubstr("before its begin"));
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 0, out.data(), 4),
              AllOf(HasSubstr("writes 4 bytes at byte 16 of \"out\""), HasSubstr("beyond its end")));
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 0, out.data(), -1), HasSubstr("before its begin"));
}

TEST(SimtGlobal, AnArrayIsLeftEvenIntoAnotherOne) {
  EmulatedArray<float> first("first", std::vector<float>(64, 1.0F));
  EmulatedArray<float> second("second", std::vector<float>(64, 1.0F));
  const std::int64_t between = second.data() - first.data();
  EXPECT_NE(faults_of(copy_element, 1, 1, first.data(), between, second.data(), 0), "");
  EXPECT_NE(faults_of(copy_element, 1, 1, first.data(), 0, first.data(), between), "");
}

TEST(SimtGlobal, ArraysThatAreNotTheDevicesAreFaults) {
  EmulatedArray<float> in("in", std::vector<float>(4, 1.0F));
  std::vector<float> host(4);
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 0, nullptr, 0),
              HasSubstr("null or not of the device"));
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 0, host.data(), 0),
              HasSubstr("null or not of the device"));
  const float* freed = EmulatedArray<float>("freed", std::vector<float>(4, 1.0F)).data();
  EXPECT_THAT(faults_of(copy_element, 1, 1, freed, 0, in.data(), 0),  // NOLINT(clang-analyzer-unix.Malloc)
              HasSubstr("null or not of the device"));
}

TEST(SimtGlobal, ReadingWhatNothingWroteIsAFault) {
  EmulatedArray<float> in("in", 4);
  EmulatedArray<float> out("out", 4);
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 2, out.data(), 0), HasSubstr("nothing wrote them"));
  EmulatedArray<float> written("written", std::vector<float>(4, 1.0F));
  EXPECT_EQ(faults_of(copy_element, 1, 1, written.data(), 2, in.data(), 2), "") << "a kernel's write counts";
  EXPECT_EQ(faults_of(copy_element, 1, 1, in.data(), 2, out.data(), 0), "");
  simt::fill_written(in.data() + 2, sizeof(float), false);
  EXPECT_THAT(faults_of(copy_element, 1, 1, in.data(), 2, out.data(), 0), HasSubstr("nothing wrote them"));
}

__global__ void copy_packs(const __half* in, std::int64_t from, __half* out, std::int64_t to) {
  Global<__half>(out).store_pack<8>(to, Global<const __half>(in).load_pack<8>(from));
}

TEST(SimtGlobal, PacksMustBeAlignedAndLieInsideWholly) {
  std::vector<__half> numbers(24);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = __float2half_rn(static_cast<float>(i));
  EmulatedArray<__half> in("in", numbers);
  EmulatedArray<__half> out("out", 20);
  EXPECT_EQ(faults_of(copy_packs, 1, 1, in.data(), 16, out.data(), 8), "");
  EXPECT_EQ(__half2float(out.values()[15]), 23.0F);
  EXPECT_THAT(faults_of(copy_packs, 1, 1, in.data(), 4, out.data(), 8), HasSubstr("not at a multiple"));
  EXPECT_THAT(faults_of(copy_packs, 1, 1, in.data() + 1, 8, out.data(), 8), HasSubstr("not at a multiple"));
  EXPECT_THAT(faults_of(copy_packs, 1, 1, in.data(), 0, out.data(), 4), HasSubstr("not at a multiple"));
  EXPECT_THAT(faults_of(copy_packs, 1, 1, in.data(), 0, out.data(), 16), HasSubstr("beyond its end"));
  simt::fill_written(in.data() + 23, sizeof(__half), false);
  EXPECT_THAT(faults_of(copy_packs, 1, 1, in.data(), 16, out.data(), 8), HasSubstr("nothing wrote them"));
}

__global__ void read_some(const float* in, int times) {
  for (int i = 0; i < times; ++i) static_cast<void>(Global<const float>(in).load(threadIdx.x + i));
}

TEST(SimtGlobal, TrafficIsCountedByArrayAndByte) {
  EmulatedArray<float> in("in", std::vector<float>(16, 1.0F));
  EmulatedArray<float> other("other", std::vector<float>(16, 1.0F));
  EXPECT_EQ(faults_of(read_some, 1, 8, in.data(), 1), "") << "not counted";
  simt::start_counting();
  EXPECT_EQ(faults_of(read_some, 1, 8, in.data(), 2), "");
  EXPECT_EQ(faults_of(copy_element, 1, 1, other.data(), 3, other.data(), 4), "");
  const simt::Traffic traffic = simt::traffic_of(in.data());
  EXPECT_EQ(traffic.bytes_read, 16U * sizeof(float));
  EXPECT_EQ(traffic.distinct_bytes_read, 9U * sizeof(float));
  EXPECT_EQ(traffic.most_reads_of_a_byte, 2);
  EXPECT_EQ(traffic.bytes_written, 0U);
  EXPECT_EQ(simt::traffic_of(other.data()).bytes_read, sizeof(float));
  EXPECT_EQ(simt::traffic_of(other.data()).bytes_written, sizeof(float));
  simt::start_counting();
  EXPECT_EQ(simt::traffic_of(in.data()).bytes_read, 0U);
  simt::stop_counting();
}

// ---- shared memory

__global__ void touch_shared(std::int64_t write, std::int64_t read) {
  LIL_SHARED(float, values, 8);
  values[write] = 1;
  static_cast<void>(values[read] + 1.0F);
}

TEST(SimtShared, AccessesOutsideOfAnArrayAreFaults) {
  EXPECT_EQ(faults_of(touch_shared, 1, 1, 7, 7), "");
  EXPECT_THAT(faults_of(touch_shared, 1, 1, 8, 7), HasSubstr("writes shared values[8] of 8 elements"));
  EXPECT_THAT(faults_of(touch_shared, 1, 1, -1, 7), HasSubstr("writes shared values[-1]"));
  EXPECT_THAT(faults_of(touch_shared, 1, 1, 7, 8), HasSubstr("reads shared values[8]"));
}

TEST(SimtShared, ReadingWhatNothingWroteIsAFault) {
  EXPECT_THAT(faults_of(touch_shared, 1, 1, 3, 4), HasSubstr("reads shared values[4], which nothing wrote"));
}

__global__ void first_block_writes() {
  LIL_SHARED(int, values, 1);
  if (blockIdx.x == 0) values[0] = 1;
  static_cast<void>(values[0] + 0);
}

TEST(SimtShared, ABlockDoesNotSeeTheBlockBefore) {
  EXPECT_THAT(faults_of(first_block_writes, 2, 1),
              AllOf(HasSubstr("nothing wrote"), HasSubstr("block 1,0,0")));
  EXPECT_EQ(faults_of(first_block_writes, 1, 1), "");
}

template <int kCount>
__global__ void large_array() {
  LIL_SHARED(float, values, kCount);
  LIL_SHARED(std::int8_t, small, 1);
  values[threadIdx.x] = 1;
  small[0] = 1;
}

TEST(SimtShared, ABlockHas48KiB) {
  EXPECT_THAT(faults_of(large_array<12 * 1024>, 1, 1), HasSubstr("49153 bytes"));
  EXPECT_EQ(faults_of(large_array<12 * 1024 - 1>, 1, 1), "");
}

/// What stands between the two accesses of the kernels below.
enum class Between { kNothing, kBarrier, kWarpSync, kShuffle };

__device__ void order_by(Between between) {
  switch (between) {
    case Between::kNothing:
      break;
    case Between::kBarrier:
      __syncthreads();
      break;
    case Between::kWarpSync:
      __syncwarp();
      break;
    case Between::kShuffle:
      static_cast<void>(__shfl_xor_sync(0xFFFFFFFFU, 1, 1));
      break;
  }
}

__global__ void write_then_read(unsigned writer, unsigned reader, Between between) {
  LIL_SHARED(int, values, 1);
  if (threadIdx.x == writer) values[0] = 1;
  order_by(between);
  if (threadIdx.x == reader) static_cast<void>(values[0] + 0);
}

__global__ void read_then_write(unsigned writer, unsigned reader, Between between) {
  LIL_SHARED(int, values, 1);
  if (threadIdx.x == 0) values[0] = 1;
  __syncthreads();
  if (threadIdx.x == reader) static_cast<void>(values[0] + 0);
  order_by(between);
  if (threadIdx.x == writer) values[0] = 2;
}

__global__ void write_then_write(unsigned first, unsigned second, Between between) {
  LIL_SHARED(int, values, 1);
  if (threadIdx.x == first) values[0] = 1;
  order_by(between);
  if (threadIdx.x == second) values[0] = 1;
}

void expect_race_unless_ordered(void (*kernel)(unsigned, unsigned, Between)) {
  for (const int order : {0, 1, 2, 3}) {
    simt::set_order(order);
    // In one warp.
    EXPECT_NE(faults_of(kernel, 1, 64, 3, 4, Between::kNothing), "");
    EXPECT_NE(faults_of(kernel, 1, 64, 3, 4, Between::kShuffle), "") << "a shuffle orders no memory";
    EXPECT_EQ(faults_of(kernel, 1, 64, 3, 4, Between::kWarpSync), "");
    EXPECT_EQ(faults_of(kernel, 1, 64, 3, 4, Between::kBarrier), "");
    // In two.
    EXPECT_NE(faults_of(kernel, 1, 64, 3, 40, Between::kNothing), "");
    EXPECT_NE(faults_of(kernel, 1, 64, 3, 40, Between::kWarpSync), "");
    EXPECT_EQ(faults_of(kernel, 1, 64, 3, 40, Between::kBarrier), "");
    // One thread.
    EXPECT_EQ(faults_of(kernel, 1, 64, 3, 3, Between::kNothing), "");
  }
  simt::set_order(0);
}

TEST(SimtShared, AWriteAndAReadRaceUnlessOrdered) {
  expect_race_unless_ordered(write_then_read);
}
TEST(SimtShared, AReadAndAWriteRaceUnlessOrdered) {
  expect_race_unless_ordered(read_then_write);
}
TEST(SimtShared, TwoWritesRaceUnlessOrdered) {
  expect_race_unless_ordered(write_then_write);
}

__global__ void many_read_one_writes(unsigned writer, bool with_barrier) {
  LIL_SHARED(int, values, 1);
  if (threadIdx.x == 0) values[0] = 1;
  __syncthreads();
  if (threadIdx.x != writer || !with_barrier) static_cast<void>(values[0] + 0);
  if (with_barrier) __syncthreads();
  if (threadIdx.x == writer) values[0] = 2;
}

TEST(SimtShared, NoReaderIsForgotten) {
  for (const int order : {0, 1, 2, 3}) {
    simt::set_order(order);
    for (const unsigned writer : {0U, 31U, 32U, 63U}) {
      EXPECT_NE(faults_of(many_read_one_writes, 1, 64, writer, false), "");
      EXPECT_EQ(faults_of(many_read_one_writes, 1, 64, writer, true), "");
    }
  }
  simt::set_order(0);
}

__global__ void count_threads(int* out, bool with_barrier) {
  LIL_SHARED(int, counts, 2);
  if (threadIdx.x < 2) counts[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&counts[threadIdx.x % 2], 3);
  atomicMax(&counts[0], 0);
  if (with_barrier) __syncthreads();
  if (threadIdx.x == 0) Global<int>(out).store(0, counts[0] + counts[1]);
}

TEST(SimtShared, AtomicsDoNotRaceWithEachOtherButWithPlainReads) {
  EmulatedArray<int> out("out", 1);
  for (const int order : {0, 1, 2}) {
    simt::set_order(order);
    EXPECT_EQ(faults_of(count_threads, 1, 64, out.data(), true), "");
    EXPECT_EQ(out.values()[0], 3 * 64);
    EXPECT_THAT(faults_of(count_threads, 1, 64, out.data(), false), HasSubstr("without a barrier"));
  }
  simt::set_order(0);
}

__global__ void every_atomic(int* out) {
  LIL_SHARED(int, values, 9);
  for (int i = 0; i < 9; ++i) values[i] = 12;
  const int before = atomicAdd(&values[0], 1) + atomicSub(&values[1], 1) + atomicMax(&values[2], 13) +
                     atomicMin(&values[3], 11) + atomicOr(&values[4], 3) + atomicAnd(&values[5], 6) +
                     atomicXor(&values[6], 5) + atomicExch(&values[7], 99) + atomicCAS(&values[8], 12, 7);
  for (int i = 0; i < 9; ++i) Global<int>(out).store(i, values[i]);
  Global<int>(out).store(9, before);
}

TEST(SimtShared, AtomicsGiveTheValueBeforeAndStoreTheOneAfter) {
  EmulatedArray<int> out("out", 10);
  EXPECT_EQ(faults_of(every_atomic, 1, 1, out.data()), "");
  EXPECT_EQ(out.values(), (std::vector<int>{13, 11, 13, 11, 15, 4, 9, 99, 7, 9 * 12}));
}

__global__ void compound(float* out) {
  LIL_SHARED(float, values, 2);
  values[0] = 3;
  values[1] = values[0];
  values[1] += 2;
  values[1] *= 4;
  values[1] -= 1;
  const float sum = values[0] + fmaxf(values[1], 0.0F) * 2;
  Global<float>(out).store(0, values[1] > values[0] ? sum : -sum);
}

TEST(SimtShared, CompoundAssignments) {
  EmulatedArray<float> out("out", 1);
  EXPECT_EQ(faults_of(compound, 1, 1, out.data()), "");
  EXPECT_EQ(out.values()[0], 3 + 19 * 2);
}

}  // namespace
}  // namespace lil::tests
