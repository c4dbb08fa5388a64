// linear_bench [GiB] [threads…]: linear at 1, 4 and 16 rows on the shapes of real models, beside an unrolled
// read of the same memory. Weights cycle through so many GiB (1, unless told) that no cache holds them. What
// it answers must agree with a plain loop in fp64.
//
// A read and a call of linear take turns, and the best of each counts: other programs slow down both. At 16
// rows of fp32 the bound is the arithmetic's as well: it is measured as the same read with 16 multiply-adds
// on each vector that comes in, with nothing else to do.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/linear_cpu.h"
#include "kernels/thread_team.h"

#ifdef LIL_BENCH_TORCH
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using lil::kernels::DType;
using lil::kernels::LinearArgs;
using lil::kernels::ThreadTeam;

constexpr std::int64_t kMegabyte = 1 << 20;
constexpr std::int64_t kSpan = 24 * kMegabyte;  ///< that one timed run goes through
constexpr int kRounds = 32;

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double gigabytes_a_second(std::int64_t bytes, const std::function<void()>& action) {
  return static_cast<double>(bytes) / seconds_of(action) / 1e9;
}

// -------------------------------------------------------------------------------------------------- bounds

/// Eight vectors at a time, so that many lines are under way.
template <class Vector>
std::uint64_t read_vectors(const std::byte* data, std::int64_t bytes) {
  constexpr std::int64_t kSize = sizeof(Vector);
  Vector sums[8] = {};
  for (std::int64_t i = 0; i + 8 * kSize <= bytes; i += 8 * kSize) {
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
      Vector some;
      std::memcpy(&some, data + i + k * kSize, sizeof(some));
      sums[k] ^= some;
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] ^= sums[k];
  return static_cast<std::uint64_t>(sums[0][0] ^ sums[0][1]);
}

using Words16 = std::uint64_t __attribute__((vector_size(16)));

#if defined(__x86_64__)
constexpr int kChains = 16;

bool can_multiply() {
  return __builtin_cpu_supports("avx512f") != 0;
}

__attribute__((target("avx512f"))) std::uint64_t read_wide(const std::byte* data, std::int64_t bytes) {
  __m512i sums[8];
#pragma GCC unroll 8
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  for (std::int64_t i = 0; i + 512 <= bytes; i += 512) {
#pragma GCC unroll 8
    for (std::int64_t k = 0; k < 8; ++k) {
      sums[k] = _mm512_xor_si512(sums[k], _mm512_loadu_si512(data + i + k * 64));
    }
  }
#pragma GCC unroll 8
  for (int k = 1; k < 8; ++k) sums[0] = _mm512_xor_si512(sums[0], sums[k]);
  alignas(64) std::array<std::uint64_t, 8> words;
  _mm512_store_si512(words.data(), sums[0]);
  return words[0] ^ words[7];
}

/// Sixteen independent multiply-adds on each vector of `data`; without data, on the same vector over again.
__attribute__((target("avx512f"))) float multiply_all(const std::byte* data, std::int64_t vectors) {
  constexpr std::int64_t kAhead = 8192;
  __m512 sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 half = _mm512_set1_ps(0.5F);
  __m512 some = half;
  for (std::int64_t v = 0; v < vectors; ++v) {
    if (data != nullptr) {
      _mm_prefetch(reinterpret_cast<const char*>(data + v * 64 + kAhead), _MM_HINT_T1);
      some = _mm512_loadu_ps(data + v * 64);
    }
#pragma GCC unroll 16
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, half, some);
    asm volatile("" : "+v"(some));
  }
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  alignas(64) std::array<float, 16> lanes;
  _mm512_store_ps(lanes.data(), sums[0]);
  return lanes[0] + lanes[7];
}
#else
bool can_multiply() {
  return false;
}
std::uint64_t read_wide(const std::byte* data, std::int64_t bytes) {
  return read_vectors<Words16>(data, bytes);
}
float multiply_all(const std::byte* /*data*/, std::int64_t /*vectors*/) {
  return 0;
}
#endif

std::uint64_t read_all(const std::byte* data, std::int64_t bytes) {
  return can_multiply() ? read_wide(data, bytes) : read_vectors<Words16>(data, bytes);
}

std::atomic<std::uint64_t> kept_results;  ///< so that no loop is left out

/// All memory from `data` on, on every thread.
void read_span(ThreadTeam& team, const std::byte* data) {
  team.run(kSpan / kMegabyte,
           [&](std::int64_t part) { kept_results += read_all(data + part * kMegabyte, kMegabyte); });
}

void multiply_span(ThreadTeam& team, const std::byte* data) {
  team.run(kSpan / kMegabyte, [&](std::int64_t part) {
    const float sum = multiply_all(data == nullptr ? nullptr : data + part * kMegabyte, kMegabyte / 64);
    kept_results += static_cast<std::uint64_t>(std::abs(sum));
  });
}

// -------------------------------------------------------------------------------------------------- memory

/// Weights for every type at once: 16-bit words from 0x3C00 to 0x3DFF, with either sign, are of medium size
/// as fp16 (1 to 1.5), bf16 (0.008 to 0.1) and as upper half of fp32.
class Memory {
 public:
  explicit Memory(std::int64_t bytes) : words_(static_cast<std::size_t>(bytes / 2)) {
    std::uint32_t state = 1;
    for (std::uint16_t& word : words_) {
      state = state * 1664525U + 1013904223U;
      word = static_cast<std::uint16_t>(0x3C00U | ((state >> 16) & 0x81FFU));
    }
  }

  /// The next so many bytes, from the front again when all were used.
  const std::byte* next(std::int64_t bytes) {
    const auto all = static_cast<std::int64_t>(words_.size() * sizeof(words_[0]));
    if (used_ + bytes > all) used_ = 0;
    const auto* data = reinterpret_cast<const std::byte*>(words_.data()) + used_;
    used_ += bytes;
    return data;
  }

 private:
  std::vector<std::uint16_t> words_;
  std::int64_t used_ = 0;
};

// --------------------------------------------------------------------------------------------------- cases

struct Shape {
  std::int64_t inputs;
  std::int64_t outputs;
  const char* what;
};
constexpr std::array kShapes{
    Shape{576, 576, "SmolLM2-135M query, output"}, Shape{576, 192, "SmolLM2-135M key, value"},
    Shape{576, 1536, "SmolLM2-135M gate, up"},     Shape{1536, 576, "SmolLM2-135M down"},
    Shape{576, 49152, "SmolLM2-135M head"},        Shape{1536, 8960, "R1-Qwen-1.5B gate, up"}};

struct NamedType {
  DType dtype;
  const char* name;
};
constexpr std::array kTypes{NamedType{DType::kBf16, "bf16"}, NamedType{DType::kFp16, "fp16"},
                            NamedType{DType::kFp32, "fp32"}};

/// x and y of one case, and its weights wherever they are at the moment.
struct Case {
  Shape shape;
  NamedType type;
  int rows;
  std::vector<float> x;
  std::vector<float> y;

  Case(Shape some_shape, NamedType some_type, int some_rows)
      : shape(some_shape),
        type(some_type),
        rows(some_rows),
        x(static_cast<std::size_t>(rows * shape.inputs)),
        y(static_cast<std::size_t>(rows * shape.outputs)) {
    // Multiples of 1/64 below 2: exact in every type.
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 37) % 255) / 64 - 2;
  }

  [[nodiscard]] std::int64_t bytes() const {
    return shape.inputs * shape.outputs * lil::kernels::bytes_of(type.dtype);
  }
  [[nodiscard]] std::int64_t repeats() const { return std::max<std::int64_t>(1, kSpan / bytes()); }

  LinearArgs args(const std::byte* weights) {
    return {type.dtype, rows,         shape.inputs, shape.outputs, weights,      shape.inputs,
            x.data(),   shape.inputs, nullptr,      y.data(),      shape.outputs};
  }

  void run(ThreadTeam& team, const std::byte* weights) {
    for (std::int64_t i = 0; i < repeats(); ++i) {
      lil::kernels::cpu::linear(args(weights + i * bytes()), &team);
    }
  }
};

double weight_at(DType dtype, const std::byte* weights, std::int64_t place) {
  double value = 0;
  lil::kernels::for_dtype(dtype, [&](auto stored) {
    std::memcpy(&stored, weights + place * static_cast<std::int64_t>(sizeof(stored)), sizeof(stored));
    value = static_cast<double>(lil::kernels::to_float(stored));
  });
  return value;
}

/// Whether y is right to some units in the last place of the largest term, at outputs spread over all.
bool agrees(Case& problem, const std::byte* weights) {
  ThreadTeam team(2);
  lil::kernels::cpu::linear(problem.args(weights), &team);
  const Shape& shape = problem.shape;
  for (int row = 0; row < problem.rows; ++row) {
    for (std::int64_t n = 0; n < shape.outputs; n += std::max<std::int64_t>(1, shape.outputs / 61)) {
      double sum = 0;
      double magnitude = 0;
      for (std::int64_t k = 0; k < shape.inputs; ++k) {
        const double product =
            weight_at(problem.type.dtype, weights, n * shape.inputs + k) *
            static_cast<double>(problem.x[static_cast<std::size_t>(row * shape.inputs + k)]);
        sum += product;
        magnitude += std::abs(product);
      }
      const auto y = static_cast<double>(problem.y[static_cast<std::size_t>(row * shape.outputs + n)]);
      if (!(std::abs(y - sum) <= 1e-6 * magnitude)) return false;
    }
  }
  return true;
}

// --------------------------------------------------------------------------------------------------- torch

#ifdef LIL_BENCH_TORCH
at::ScalarType torch_type(DType dtype) {
  if (dtype == DType::kFp32) return at::kFloat;
  return dtype == DType::kBf16 ? at::kBFloat16 : at::kHalf;
}

/// GB/s of at::linear on the same weights; 0 where it does not know the type.
double torch_speed(Case& problem, Memory& memory) {
  const at::NoGradGuard no_grad;
  const auto type = torch_type(problem.type.dtype);
  const auto x = at::from_blob(problem.x.data(), {problem.rows, problem.shape.inputs}, at::kFloat).to(type);
  double best = 0;
  try {
    for (int round = 0; round < 3; ++round) {
      const auto* data = memory.next(problem.repeats() * problem.bytes());
      best = std::max(best, gigabytes_a_second(problem.repeats() * problem.bytes(), [&] {
                        for (std::int64_t i = 0; i < problem.repeats(); ++i) {
                          auto* weights = const_cast<std::byte*>(data + i * problem.bytes());
                          at::linear(x, at::from_blob(weights, {problem.shape.outputs, problem.shape.inputs},
                                                      at::TensorOptions(type)));
                        }
                      }));
    }
  } catch (const c10::Error&) {
    return 0;
  }
  return best;
}
#endif

// -------------------------------------------------------------------------------------------------- report

void report(Case& problem, ThreadTeam& team, Memory& memory) {
  double read = 0;
  double linear = 0;
  double multiply = 0;
  const bool arithmetic = can_multiply() && problem.type.dtype == DType::kFp32 && problem.rows == 16;
  for (int round = 0; round < kRounds; ++round) {
    const auto* data = memory.next(kSpan);
    read = std::max(read, gigabytes_a_second(kSpan, [&] { read_span(team, data); }));
    const std::int64_t bytes = problem.repeats() * problem.bytes();
    data = memory.next(bytes);
    linear = std::max(linear, gigabytes_a_second(bytes, [&] { problem.run(team, data); }));
    if (!arithmetic) continue;
    data = memory.next(kSpan);
    multiply = std::max(multiply, gigabytes_a_second(kSpan, [&] { multiply_span(team, data); }));
  }
  fmt::print("{:>5} x {:<5} {} {:>2} rows {} threads  linear {:>6.2f} GB/s  read {:>6.2f}  share {:.2f}",
             problem.shape.outputs, problem.shape.inputs, problem.type.name, problem.rows, team.threads(),
             linear, read, linear / read);
  if (arithmetic) {
    fmt::print("  read and 16 multiply-adds {:.2f}  share {:.2f}", multiply, linear / multiply);
  }
#ifdef LIL_BENCH_TORCH
  at::set_num_threads(team.threads());
  const double torch = torch_speed(problem, memory);
  if (torch > 0) fmt::print("  torch {:>6.2f}  x{:.1f}", torch, linear / torch);
#endif
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const double gigabytes = argc > 1 ? std::stod(argv[1]) : 1;
  std::vector<int> numbers_of_threads;
  for (int i = 2; i < argc; ++i) numbers_of_threads.push_back(std::stoi(argv[i]));
  if (numbers_of_threads.empty()) numbers_of_threads = {1, 2};
  Memory memory(std::max(static_cast<std::int64_t>(gigabytes * 1024) * kMegabyte, 2 * kSpan));

  std::array<double, 3> load{};
  if (getloadavg(load.data(), 3) > 0) fmt::print("load of the last minute: {:.1f}\n", load[0]);
  for (const NamedType& type : kTypes) {
    fmt::print("{} is summed by {}\n", type.name,
               lil::kernels::cpu::linear_variants(type.dtype).front().name);
  }
  for (const int threads : numbers_of_threads) {
    ThreadTeam team(threads);
    double peak = 0;
    for (int round = 0; round < kRounds && can_multiply(); ++round) {
      peak = std::max(peak, gigabytes_a_second(kSpan, [&] { multiply_span(team, nullptr); }));
    }
    fmt::print("{} threads, multiply-adds alone: {:.2f} GB/s of fp32 at 16 rows\n", threads, peak);
    for (const Shape& shape : kShapes) {
      fmt::print("{} ({} outputs x {} inputs)\n", shape.what, shape.outputs, shape.inputs);
      for (const NamedType& type : kTypes) {
        for (const int rows : {1, 4, 16}) {
          Case problem(shape, type, rows);
          if (!agrees(problem, memory.next(problem.bytes()))) {
            fmt::print("{} x {} {} at {} rows: WRONG\n", shape.outputs, shape.inputs, type.name, rows);
            return 1;
          }
          report(problem, team, memory);
        }
      }
    }
  }
  return 0;
}
