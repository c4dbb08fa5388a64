// attention_bench [type] [GiB] [threads]: decode_attention and merge_states over 8192 tokens a request, with
// enough requests that keys and values make up so many GiB, beside a plain copy and a plain read of memory,
// and beside the same attention written with libtorch's operations. What it answers must agree with libtorch.
//
// Bandwidths are in GB/s. That of attention counts each byte of K and V once, that of a copy what it reads
// and what it writes. Times are the best of several runs.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/backend.h"
#include "kernels/half.h"
#include "kernels/thread_team.h"

namespace {

using lil::kernels::DType;
using lil::kernels::ThreadTeam;

constexpr std::int64_t kTokens = 8192;
constexpr int kRuns = 7;
constexpr int kTorchRuns = 3;

/// The shortest of several times.
class Best {
 public:
  template <class Action>
  void time(const Action& action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    seconds_ =
        std::min(seconds_, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  [[nodiscard]] double seconds() const { return seconds_; }
  [[nodiscard]] double gigabytes_a_second(std::int64_t bytes) const {
    return static_cast<double>(bytes) / seconds_ / 1e9;
  }

 private:
  double seconds_ = std::numeric_limits<double>::infinity();
};

struct NamedType {
  DType dtype;
  at::ScalarType torch;
  const char* name;
  double tolerance;  ///< absolute, of outputs that are about 0.01 to 0.1
};
constexpr NamedType kTypes[] = {{DType::kFp32, at::kFloat, "fp32", 2e-5},
                                {DType::kFp16, at::kHalf, "fp16", 2e-3},
                                {DType::kBf16, at::kBFloat16, "bf16", 1.6e-2}};

// ---------------------------------------------------------------------------------------------- plain memory

constexpr std::int64_t kPieceBytes = std::int64_t{1} << 21;

/// Bytes read and written.
std::int64_t copy(ThreadTeam& team, const at::Tensor& from, at::Tensor& to) {
  const auto* source = static_cast<const std::byte*>(from.data_ptr());
  auto* target = static_cast<std::byte*>(to.data_ptr());
  const auto pieces = static_cast<std::int64_t>(from.nbytes()) / kPieceBytes;
  const std::int64_t share = pieces / team.threads() * kPieceBytes;
  team.run(team.threads(), [&](std::int64_t part) {
    std::memcpy(target + part * share, source + part * share, static_cast<std::size_t>(share));
  });
  return 2 * share * team.threads();
}

/// Eight vectors at a time, so that many lines are under way.
std::uint64_t sum_of_words(const std::byte* data, std::int64_t bytes) {
  using Words = std::uint64_t __attribute__((vector_size(64)));
  constexpr std::int64_t kUnrolled = 8;
  Words sums[kUnrolled] = {};
  for (std::int64_t i = 0; i + kUnrolled * 64 <= bytes; i += kUnrolled * 64) {
    for (std::int64_t k = 0; k < kUnrolled; ++k) {
      Words words;
      std::memcpy(&words, data + i + k * 64, sizeof(words));
      sums[k] += words;
    }
  }
  std::uint64_t total = 0;
  for (const Words& words : sums) {
    for (int i = 0; i < 8; ++i) total += words[i];
  }
  return total;
}

/// Bytes read.
std::int64_t read(ThreadTeam& team, const at::Tensor& memory) {
  const auto* data = static_cast<const std::byte*>(memory.data_ptr());
  const auto pieces = static_cast<std::int64_t>(memory.nbytes()) / kPieceBytes;
  std::atomic<std::uint64_t> sum = 0;
  team.run(pieces, [&](std::int64_t part) { sum += sum_of_words(data + part * kPieceBytes, kPieceBytes); });
  return pieces * kPieceBytes;
}

// -------------------------------------------------------------------------------------------------- one case

/// Keys and values of every request, its tokens one after another.
struct Pool {
  at::Tensor keys;    ///< (requests, kTokens, head_dim)
  at::Tensor values;  ///< as keys
};

/// About normal. A table, with every request at another place of it: making a gigabyte of numbers takes
/// longer than all measurements.
at::Tensor random_rows(const NamedType& type, at::IntArrayRef sizes, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  at::Tensor table = at::empty({(1 << 20) + 7}, at::kFloat);
  std::generate_n(table.data_ptr<float>(), table.numel(), [&] { return normal(generator); });
  table = table.to(type.torch);
  at::Tensor rows = at::empty(sizes, type.torch);
  const auto* from = static_cast<const std::byte*>(table.data_ptr());
  auto* to = static_cast<std::byte*>(rows.data_ptr());
  for (std::size_t at = 0; at < rows.nbytes(); at += table.nbytes()) {
    std::memcpy(to + at, from, std::min(table.nbytes(), rows.nbytes() - at));
  }
  return rows;
}

/// The kernels on lists of pages in order.
class Kernel {
 public:
  Kernel(const NamedType& type, const Pool& pool, const at::Tensor& queries, std::int32_t page_size)
      : requests_(queries.size(0)) {
    const std::int64_t group = queries.size(1);
    const std::int64_t head_dim = queries.size(2);
    const std::int64_t pages = kTokens / page_size;
    pages_.resize(static_cast<std::size_t>(requests_ * pages));
    for (std::size_t i = 0; i < pages_.size(); ++i) pages_[i] = static_cast<std::int32_t>(i);
    tokens_.assign(static_cast<std::size_t>(requests_), kTokens);
    const std::int64_t splits = lil::kernels::splits_of(kTokens);
    partial_out_ = at::empty({requests_, splits, group, head_dim}, at::kFloat);
    partial_lse_ = at::empty({requests_, splits, group}, at::kFloat);
    out_ = at::empty({requests_, group, head_dim}, type.torch);

    attention_.dtype = merge_.dtype = type.dtype;
    attention_.requests = merge_.requests = static_cast<std::int32_t>(requests_);
    attention_.group = merge_.group = static_cast<std::int32_t>(group);
    attention_.head_dim = merge_.head_dim = static_cast<std::int32_t>(head_dim);
    attention_.scale = 1 / std::sqrt(static_cast<float>(head_dim));
    attention_.queries = queries.data_ptr();
    attention_.query_request_stride = group * head_dim;
    attention_.query_head_stride = head_dim;
    attention_.keys = pool.keys.data_ptr();
    attention_.values = pool.values.data_ptr();
    attention_.key_slot_stride = attention_.value_slot_stride = head_dim;
    attention_.lists = {pages_.data(), pages, tokens_.data(), kTokens, page_size};
    attention_.partial_out = partial_out_.data_ptr<float>();
    attention_.partial_lse = partial_lse_.data_ptr<float>();
    merge_.states = splits;
    merge_.partial_out = attention_.partial_out;
    merge_.partial_lse = attention_.partial_lse;
    merge_.out = out_.data_ptr();
    merge_.out_request_stride = group * head_dim;
    merge_.out_head_stride = head_dim;
  }

  void attend(ThreadTeam& team) const {
    call(lil::kernels::cpu_backend().decode_attention(attention_, &team));
  }
  void merge(ThreadTeam& team) const { call(lil::kernels::cpu_backend().merge_states(merge_, &team)); }
  [[nodiscard]] const at::Tensor& out() const { return out_; }
  [[nodiscard]] std::int32_t page_size() const { return attention_.lists.page_size; }

 private:
  static void call(lil::kernels::Status status) {
    if (status != lil::kernels::Status::kOk) throw std::logic_error(to_string(status));
  }

  std::int64_t requests_;
  std::vector<std::int32_t> pages_;
  std::vector<std::int32_t> tokens_;
  at::Tensor partial_out_;
  at::Tensor partial_lse_;
  at::Tensor out_;
  lil::kernels::DecodeAttentionArgs attention_;
  lil::kernels::MergeStatesArgs merge_;
};

/// The same attention in libtorch's operations, which get K and V as dense tensors: no list is followed.
struct Formulation {
  const char* name = "";
  std::function<at::Tensor(const at::Tensor& queries, const Pool& pool, double scale)> run;
};

at::Tensor attend_at_once(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          double scale) {
  const at::Tensor logits = at::bmm(queries, keys.transpose(1, 2)).mul_(scale);
  return at::bmm(at::softmax(logits, -1), values);
}

/// A request at a time, widened or not: intermediate results stay in the caches.
at::Tensor attend_each(const at::Tensor& queries, const Pool& pool, double scale, bool widen) {
  std::vector<at::Tensor> outs;
  for (std::int64_t r = 0; r < queries.size(0); ++r) {
    const auto take = [&](const at::Tensor& rows) { return widen ? rows[r].to(at::kFloat) : rows[r]; };
    const at::Tensor logits = at::mm(take(queries), take(pool.keys).t()).mul_(scale);
    outs.push_back(at::mm(at::softmax(logits, -1), take(pool.values)));
  }
  return at::stack(outs);
}

std::vector<Formulation> formulations(DType dtype) {
  std::vector<Formulation> all;
  if (dtype != DType::kFp16) {  // libtorch 1.13 multiplies no fp16 matrices on a CPU
    all.push_back({"bmm", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_at_once(queries, pool.keys, pool.values, scale);
                   }});
    all.push_back({"mm", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_each(queries, pool, scale, false);
                   }});
  }
  if (dtype != DType::kFp32) {
    all.push_back({"widen, mm", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_each(queries, pool, scale, true);
                   }});
  }
  return all;
}

/// The formulation that is fastest on some of the requests.
Formulation fastest_torch(const NamedType& type, const at::Tensor& queries, const Pool& pool, double scale) {
  const auto some = [](const at::Tensor& rows) {
    return rows.narrow(0, 0, std::max<std::int64_t>(1, rows.size(0) / 8));
  };
  const Pool some_pool{some(pool.keys), some(pool.values)};
  Formulation fastest;
  double seconds = std::numeric_limits<double>::infinity();
  for (const Formulation& formulation : formulations(type.dtype)) {
    Best best;
    for (int run = 0; run < 3; ++run) {
      best.time([&] { formulation.run(some(queries), some_pool, scale); });
    }
    if (best.seconds() < seconds) fastest = formulation;
    seconds = std::min(seconds, best.seconds());
  }
  return fastest;
}

/// Greatest difference from libtorch in fp32, over the first and the last requests.
double difference(const at::Tensor& queries, const Pool& pool, double scale, const at::Tensor& out) {
  double most = 0;
  for (const std::int64_t first : {std::int64_t{0}, queries.size(0) - 4}) {
    const auto some = [&](const at::Tensor& rows) { return rows.narrow(0, first, 4); };
    const at::Tensor expected = attend_each(some(queries), {some(pool.keys), some(pool.values)}, scale, true);
    most = std::max(most, (some(out).to(at::kFloat) - expected).abs().max().item<double>());
  }
  return most;
}

// ---------------------------------------------------------------------------------------------------- table

/// Everything that is compared takes turns, so that whatever else the machine does meets all of it.
bool measure(ThreadTeam& team, const NamedType& type, std::int64_t group, const Pool& pool,
             at::Tensor& target) {
  const std::int64_t head_dim = pool.keys.size(2);
  const at::Tensor queries = random_rows(type, {pool.keys.size(0), group, head_dim}, 3);
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const Formulation torch = fastest_torch(type, queries, pool, scale);
  const std::array<Kernel, 2> kernels{Kernel(type, pool, queries, 16), Kernel(type, pool, queries, 1)};
  Best copying;
  Best reading;
  Best torching;
  std::array<Best, 2> attending;
  std::array<Best, 2> merging;
  for (int run = 0; run < kTorchRuns; ++run) torching.time([&] { torch.run(queries, pool, scale); });
  std::int64_t copied = 0;
  std::int64_t was_read = 0;
  for (int run = 0; run < kRuns; ++run) {
    copying.time([&] { copied = copy(team, pool.keys, target); });
    reading.time([&] { was_read = read(team, pool.keys); });
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      attending[k].time([&] { kernels[k].attend(team); });
      merging[k].time([&] { kernels[k].merge(team); });
    }
  }
  bool good = true;
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const double copy_bandwidth = copying.gigabytes_a_second(copied);
    const auto bytes = static_cast<std::int64_t>(pool.keys.nbytes() + pool.values.nbytes());
    const double bandwidth = attending[k].gigabytes_a_second(bytes);
    const double apart = difference(queries, pool, scale, kernels[k].out());
    const bool agrees = apart <= type.tolerance;
    fmt::print(
        "{} {:>4} {:>2} {:>4} {:>6.1f} {:>6.1f} {:>6.1f} {:>8.2f} {:>10.1f} {:>8.2f} {:>9.1f} {:>6.1f}  "
        "{:<9} {:.0e} {}\n",
        type.name, head_dim, group, kernels[k].page_size(), copy_bandwidth,
        reading.gigabytes_a_second(was_read), bandwidth, bandwidth / copy_bandwidth,
        attending[k].seconds() * 1e3, merging[k].seconds() * 1e3, torching.seconds() * 1e3,
        torching.seconds() / (attending[k].seconds() + merging[k].seconds()), torch.name, apart,
        agrees ? "agrees" : "DIFFERS");
    good = good && agrees;
  }
  std::fflush(stdout);
  return good;
}

bool measure_type(ThreadTeam& team, const NamedType& type, double gibibytes) {
  bool good = true;
  for (const std::int64_t head_dim : {64, 128}) {
    const double bytes_a_request =
        static_cast<double>(2 * kTokens * head_dim * lil::kernels::bytes_of(type.dtype));
    const auto requests =
        std::max<std::int64_t>(4, std::llround(gibibytes * static_cast<double>(1 << 30) / bytes_a_request));
    const Pool pool{random_rows(type, {requests, kTokens, head_dim}, 1),
                    random_rows(type, {requests, kTokens, head_dim}, 2)};
    at::Tensor target = at::zeros_like(pool.keys);
    fmt::print("{} requests of {} tokens, {} threads\n", requests, kTokens, team.threads());
    fmt::print(
        "type  dim  G page   copy   read    K+V K+V/copy  attend ms merge ms  torch ms  ratio  torch by  "
        "apart\n");
    for (const std::int64_t group : {1, 3, 4, 6}) {
      good = measure(team, type, group, pool, target) && good;
    }
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "all";
  const double gibibytes = argc > 2 ? std::stod(argv[2]) : 1;
  const int threads = argc > 3 ? std::stoi(argv[3]) : static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(threads);
  ThreadTeam team(threads);
  bool good = true;
  for (const NamedType& type : kTypes) {
    if (only == "all" || only == type.name) good = measure_type(team, type, gibibytes) && good;
  }
  return good ? 0 : 1;
}
