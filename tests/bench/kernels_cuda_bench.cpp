// kernels_cuda_bench: how near decode_attention comes to the memory bandwidth of the first GPU, for each
// type, head size, group, page size, length and batch. A fast wrong answer fails: the first and the last
// request of each case must agree with cpu_backend().
//
// Bytes counted are those of K and V, each once: requests * tokens * head_dim * 2 * bytes of the type. Pages
// lie shuffled over a pool far larger than the L2 cache, and launches take turns through it, so that none
// finds in the cache what it reads. Times are of events around a run of launches, the least of several runs,
// after warm-ups. `ideal` is memory clock * 2 * bus width, as the driver tells them; `copy` a copy from
// device memory to device memory, reads and writes both counted, measured first.
//
// Exit status: 0 all agree, 1 not or an error of the device, 77 no device.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace {

using lil::kernels::Backend;
using lil::kernels::DecodeAttentionArgs;
using lil::kernels::DType;
using lil::kernels::MergeStatesArgs;
using lil::kernels::Status;

constexpr std::int64_t kPoolBytes = std::int64_t{512} << 20;  // of keys, and as many of values
constexpr std::int64_t kKvHeads = 8;
constexpr std::int64_t kMostRequests = 64 * kKvHeads;
constexpr std::int64_t kMostGroup = 8;
constexpr std::int64_t kMostHeadDim = 128;
constexpr int kWarmUps = 5;
constexpr int kRuns = 5;
constexpr int kLaunches = 20;
constexpr double kTolerance = 1e-4;  // of sums in fp32 in two orders
constexpr int kNoDevice = 77;

struct Load {
  std::int64_t tokens;
  std::int64_t sequences;
};
constexpr Load kLoads[] = {{1024, 64}, {8192, 1}, {8192, 16}, {32768, 1}, {32768, 4}};

struct Case {
  DType dtype;
  std::int32_t head_dim;
  std::int32_t group;
  std::int32_t page_size;
  Load load;

  [[nodiscard]] std::int64_t requests() const { return load.sequences * kKvHeads; }
  [[nodiscard]] std::int64_t pages_per_request() const { return load.tokens / page_size; }
  [[nodiscard]] std::int64_t slots_in_pool() const { return kPoolBytes / (head_dim * bytes_of(dtype)); }
  /// How many launches read different parts of the pool.
  [[nodiscard]] std::int64_t parts() const { return slots_in_pool() / (requests() * load.tokens); }
  [[nodiscard]] double kv_bytes() const {
    return static_cast<double>(requests() * load.tokens * head_dim * 2 * bytes_of(dtype));
  }
};

void require(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(fmt::format("{}: {}", what, cudaGetErrorString(error)));
}

void require(Status status, const char* what) {
  if (status != Status::kOk) throw std::runtime_error(fmt::format("{}: {}", what, to_string(status)));
}

/// Memory of the GPU.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::int64_t count) {
    void* data = nullptr;
    require(cudaMalloc(&data, static_cast<std::size_t>(count) * sizeof(T)), "cudaMalloc");
    data_ = static_cast<T*>(data);
  }
  ~DeviceBuffer() { static_cast<void>(cudaFree(data_)); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  [[nodiscard]] T* data() const { return data_; }

  void write(const std::vector<T>& values) {
    require(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
            "copying to the device");
  }
  [[nodiscard]] std::vector<T> read(std::int64_t first, std::int64_t count) const {
    std::vector<T> values(static_cast<std::size_t>(count));
    require(cudaMemcpy(values.data(), data_ + first, values.size() * sizeof(T), cudaMemcpyDeviceToHost),
            "copying from the device");
    return values;
  }

 private:
  T* data_ = nullptr;
};

/// Time between two points of the default stream.
class Stopwatch {
 public:
  Stopwatch() {
    require(cudaEventCreate(&start_), "cudaEventCreate");
    require(cudaEventCreate(&stop_), "cudaEventCreate");
  }
  ~Stopwatch() {
    static_cast<void>(cudaEventDestroy(start_));
    static_cast<void>(cudaEventDestroy(stop_));
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  /// Seconds that one call of `launch(i)` takes: the least of several runs of many calls, i counting on.
  template <class Launch>
  double seconds_of(Launch&& launch) {
    std::int64_t i = 0;
    for (int warm_up = 0; warm_up < kWarmUps; ++warm_up) launch(i++);
    float least_ms = INFINITY;
    for (int run = 0; run < kRuns; ++run) {
      require(cudaEventRecord(start_, nullptr), "cudaEventRecord");
      for (int call = 0; call < kLaunches; ++call) launch(i++);
      require(cudaEventRecord(stop_, nullptr), "cudaEventRecord");
      require(cudaEventSynchronize(stop_), "the measured launches");
      float ms = 0;
      require(cudaEventElapsedTime(&ms, start_, stop_), "cudaEventElapsedTime");
      least_ms = std::min(least_ms, ms);
    }
    return static_cast<double>(least_ms) / 1e3 / kLaunches;
  }

 private:
  cudaEvent_t start_ = nullptr;
  cudaEvent_t stop_ = nullptr;
};

/// Elements of a type whose values are in ±[0.5, 2), as words of 32 bits: sign, the exponent's last bit and
/// the mantissa are random.
std::vector<std::uint32_t> random_elements(DType dtype, std::int64_t bytes, std::uint64_t seed) {
  struct Bits {
    std::uint32_t free, fixed;
  };
  const Bits bits = dtype == DType::kFp32   ? Bits{0x80FFFFFF, 0x3F000000}
                    : dtype == DType::kBf16 ? Bits{0x80FF80FF, 0x3F003F00}
                                            : Bits{0x87FF87FF, 0x38003800};
  std::vector<std::uint32_t> words(static_cast<std::size_t>(bytes / 4));
  std::mt19937_64 generator(seed);
  for (std::uint32_t& word : words) {
    word = (static_cast<std::uint32_t>(generator() >> 32) & bits.free) | bits.fixed;
  }
  return words;
}

const char* name_of(DType dtype) {
  return dtype == DType::kFp32 ? "fp32" : dtype == DType::kBf16 ? "bf16" : "fp16";
}

/// Arguments of a case over memory of the device or of the host, for requests from the first pointer on.
struct Memory {
  const void* queries;
  const void* keys;
  const void* values;
  const std::int32_t* pages;
  const std::int32_t* tokens;
  float* partial_out;
  float* partial_lse;
  float* out;
  float* lse;
};

DecodeAttentionArgs decode_args(const Case& c, std::int64_t requests, const Memory& memory) {
  DecodeAttentionArgs args;
  args.dtype = c.dtype;
  args.requests = static_cast<std::int32_t>(requests);
  args.group = c.group;
  args.head_dim = c.head_dim;
  args.scale = static_cast<float>(1 / std::sqrt(c.head_dim));
  args.queries = memory.queries;
  args.query_request_stride = std::int64_t{c.group} * c.head_dim;
  args.query_head_stride = c.head_dim;
  args.keys = memory.keys;
  args.values = memory.values;
  args.key_slot_stride = c.head_dim;
  args.value_slot_stride = c.head_dim;
  args.lists = {memory.pages, c.pages_per_request(), memory.tokens, c.load.tokens, c.page_size};
  args.partial_out = memory.partial_out;
  args.partial_lse = memory.partial_lse;
  return args;
}

MergeStatesArgs merge_args(const Case& c, std::int64_t requests, const Memory& memory) {
  MergeStatesArgs args;
  args.dtype = DType::kFp32;  // what the kernels summed, before it is rounded
  args.requests = static_cast<std::int32_t>(requests);
  args.group = c.group;
  args.head_dim = c.head_dim;
  args.states = lil::kernels::splits_of(c.load.tokens);
  args.partial_out = memory.partial_out;
  args.partial_lse = memory.partial_lse;
  args.out = memory.out;
  args.out_request_stride = std::int64_t{c.group} * c.head_dim;
  args.out_head_stride = c.head_dim;
  args.lse = memory.lse;
  return args;
}

std::int64_t most_states() {
  std::int64_t most = 0;
  for (const Load& load : kLoads) {
    most = std::max(most, load.sequences * kKvHeads * lil::kernels::splits_of(load.tokens));
  }
  return most;
}

class Bench {
 public:
  Bench()
      : keys_(kPoolBytes / 4),
        values_(kPoolBytes / 4),
        queries_(kMostRequests * kMostGroup * kMostHeadDim),
        pages_(kPoolBytes / (64 * 2)),
        tokens_(kMostRequests),
        partial_out_(most_states() * kMostGroup * kMostHeadDim),
        partial_lse_(most_states() * kMostGroup),
        out_(kMostRequests * kMostGroup * kMostHeadDim),
        lse_(kMostRequests * kMostGroup) {}

  /// Prints what the device is and what it could reach at most.
  void print_device() {
    const auto attribute = [](cudaDeviceAttr which) {
      int value = 0;
      require(cudaDeviceGetAttribute(&value, which, 0), "cudaDeviceGetAttribute");
      return value;
    };
    cudaDeviceProp properties{};
    require(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    const double clock_hz = 1e3 * attribute(cudaDevAttrMemoryClockRate);
    const double bus_bytes = attribute(cudaDevAttrGlobalMemoryBusWidth) / 8.0;
    const int l2_bytes = attribute(cudaDevAttrL2CacheSize);
    ideal_ = 2 * clock_hz * bus_bytes;
    copy_ = 2.0 * kPoolBytes / stopwatch_.seconds_of([&](std::int64_t) {
      require(cudaMemcpyAsync(values_.data(), keys_.data(), kPoolBytes, cudaMemcpyDeviceToDevice, nullptr),
              "cudaMemcpyAsync");
    });
    fmt::print("{}, compute capability {}.{}, {} SMs\n", properties.name, properties.major, properties.minor,
               properties.multiProcessorCount);
    fmt::print("ideal {:.0f} GB/s (memory clock {:.0f} MHz * 2 * {:.0f} bytes), copy {:.0f} GB/s\n",
               ideal_ / 1e9, clock_hz / 1e6, bus_bytes, copy_ / 1e9);
    if (ideal_ == 0) fmt::print("the driver doesn't tell the memory clock: /ideal is without meaning\n");
    fmt::print("pool {:.0f} MB, L2 {:.0f} MB{}\n\n", 2.0 * kPoolBytes / 1e6, l2_bytes / 1e6,
               4.0 * l2_bytes > 2.0 * kPoolBytes ? ": TOO SMALL A POOL, expect hits in L2" : "");
  }

  /// Fills the pool and the queries for cases of one type.
  void use_type(DType dtype) {
    const auto fill = [&](DeviceBuffer<std::uint32_t>& device, std::vector<std::uint32_t>& host,
                          std::int64_t bytes, std::uint64_t seed) {
      host = random_elements(dtype, bytes, seed);
      device.write(host);
    };
    fill(keys_, host_keys_, kPoolBytes, 1);
    fill(values_, host_values_, kPoolBytes, 2);
    fill(queries_, host_queries_, kMostRequests * kMostGroup * kMostHeadDim * bytes_of(dtype), 3);
  }

  /// Shuffles the pool's pages for cases like this one.
  void use_pages(const Case& c) {
    host_pages_.resize(static_cast<std::size_t>(c.slots_in_pool() / c.page_size));
    std::iota(host_pages_.begin(), host_pages_.end(), 0);
    std::shuffle(host_pages_.begin(), host_pages_.end(), std::mt19937_64(4));
    pages_.write(host_pages_);
  }

  /// Measures a case, prints its row, and tells whether the answers agree.
  [[nodiscard]] bool measure(const Case& c) {
    tokens_.write(std::vector<std::int32_t>(static_cast<std::size_t>(c.requests()),
                                            static_cast<std::int32_t>(c.load.tokens)));
    const double decode_s = stopwatch_.seconds_of([&](std::int64_t i) { decode(c, i); });
    const double step_s = stopwatch_.seconds_of([&](std::int64_t i) {
      decode(c, i);
      merge(c);
    });
    decode(c, 0);
    merge(c);
    require(cudaDeviceSynchronize(), "the case's last launches");
    const double apart = std::max(distance_from_cpu(c, 0), distance_from_cpu(c, c.requests() - 1));
    const double rate = c.kv_bytes() / decode_s;
    fmt::print(
        "{:<4} {:>4} {:>5} {:>4} {:>6} {:>5} {:>8.1f} {:>9.1f} {:>7.0f} {:>6.3f} {:>6.3f} {:>9.1f}  {}\n",
        name_of(c.dtype), c.head_dim, c.group, c.page_size, c.load.tokens, c.load.sequences,
        c.kv_bytes() / 1e6, decode_s * 1e6, rate / 1e9, rate / ideal_, rate / copy_, step_s * 1e6,
        apart <= kTolerance ? "agrees" : fmt::format("DIFFERS by {:.2g}", apart));
    static_cast<void>(std::fflush(stdout));
    return apart <= kTolerance;
  }

  static void print_heading() {
    fmt::print("{:<4} {:>4} {:>5} {:>4} {:>6} {:>5} {:>8} {:>9} {:>7} {:>6} {:>6} {:>9}\n", "type", "d",
               "group", "page", "tokens", "batch", "KV MB", "decode us", "GB/s", "/ideal", "/copy",
               "+merge us");
  }

 private:
  /// Memory of the device for the part of the pool whose turn it is.
  [[nodiscard]] Memory on_device(const Case& c, std::int64_t turn) const {
    const std::int64_t part = turn % c.parts();
    return {queries_.data(),     keys_.data(),
            values_.data(),      pages_.data() + part * c.requests() * c.pages_per_request(),
            tokens_.data(),      partial_out_.data(),
            partial_lse_.data(), out_.data(),
            lse_.data()};
  }

  void decode(const Case& c, std::int64_t turn) const {
    const auto args = decode_args(c, c.requests(), on_device(c, turn));
    require(lil::kernels::cuda_backend().decode_attention(args, nullptr), "decode_attention");
  }

  void merge(const Case& c) const {
    const auto args = merge_args(c, c.requests(), on_device(c, 0));
    require(lil::kernels::cuda_backend().merge_states(args, nullptr), "merge_states");
  }

  /// The greatest distance between what the device has for a request of part 0 and what the processor makes
  /// of it, over 1 + the value's size; infinite where either is NaN.
  [[nodiscard]] double distance_from_cpu(const Case& c, std::int64_t request) const {
    const std::int64_t heads = c.group;
    const std::int64_t elements = heads * c.head_dim;
    const std::int64_t states = lil::kernels::splits_of(c.load.tokens);
    std::vector<float> partial_out(static_cast<std::size_t>(states * elements));
    std::vector<float> partial_lse(static_cast<std::size_t>(states * heads));
    std::vector<float> out(static_cast<std::size_t>(elements));
    std::vector<float> lse(static_cast<std::size_t>(heads));
    const auto tokens = static_cast<std::int32_t>(c.load.tokens);
    const Memory memory{
        reinterpret_cast<const char*>(host_queries_.data()) + request * elements * bytes_of(c.dtype),
        host_keys_.data(),
        host_values_.data(),
        host_pages_.data() + request * c.pages_per_request(),
        &tokens,
        partial_out.data(),
        partial_lse.data(),
        out.data(),
        lse.data()};
    const Backend& cpu = lil::kernels::cpu_backend();
    require(cpu.decode_attention(decode_args(c, 1, memory), nullptr), "decode_attention on the processor");
    require(cpu.merge_states(merge_args(c, 1, memory), nullptr), "merge_states on the processor");
    return std::max(distance(out_.read(request * elements, elements), out),
                    distance(lse_.read(request * heads, heads), lse));
  }

  [[nodiscard]] static double distance(const std::vector<float>& actual, const std::vector<float>& expected) {
    double most = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const double apart = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i])) /
                           (1 + std::abs(static_cast<double>(expected[i])));
      if (std::isnan(apart)) return INFINITY;
      most = std::max(most, apart);
    }
    return most;
  }

  DeviceBuffer<std::uint32_t> keys_, values_, queries_;
  DeviceBuffer<std::int32_t> pages_, tokens_;
  DeviceBuffer<float> partial_out_, partial_lse_, out_, lse_;
  std::vector<std::uint32_t> host_keys_, host_values_, host_queries_;
  std::vector<std::int32_t> host_pages_;
  Stopwatch stopwatch_;
  double ideal_ = 0;
  double copy_ = 0;
};

bool measure_all() {
  Bench bench;
  bench.print_device();
  Bench::print_heading();
  bool agree = true;
  for (const DType dtype : {DType::kFp32, DType::kFp16, DType::kBf16}) {
    bench.use_type(dtype);
    for (const std::int32_t head_dim : {64, 128}) {
      for (const std::int32_t page_size : {1, 16}) {
        bench.use_pages({dtype, head_dim, 1, page_size, kLoads[0]});
        for (const std::int32_t group : {1, 2, 3, 4, 6, 7, 8}) {
          for (const Load& load : kLoads) {
            agree = bench.measure({dtype, head_dim, group, page_size, load}) && agree;
          }
        }
      }
    }
  }
  return agree;
}

}  // namespace

int main() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    fmt::print(stderr, "no CUDA device was found ({})\n", cudaGetErrorString(error));
    return kNoDevice;
  }
  try {
    return measure_all() ? 0 : 1;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    return 1;
  }
}
