// attention_bench [type] [GiB] [threads]: decode_attention and merge_states over 8192 tokens a request, with
// enough requests that keys and values make up so many GiB, beside a plain copy and a plain read of memory,
// and beside the same attention written with libtorch's operations. What it answers must agree with libtorch.
//
// Everything goes through that memory in slices of a sixteenth and takes turns, so that no cache holds what
// comes next and other programs slow down all of it; the best slice of each counts. The copy goes through all
// keys at once: from some size on memcpy writes past the caches, which is faster. Bandwidths are in GB/s:
// that of attention counts each byte of K and V once, that of a copy what it reads and what it writes.
// clang-format off
#include <ATen/core/ivalue.h>  // first: the headers below use its type before it is whole, which clang refuses
// clang-format on

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
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/backend.h"
#include "kernels/thread_team.h"

namespace {

using lil::kernels::DType;
using lil::kernels::ThreadTeam;

constexpr std::int64_t kTokens = 8192;
constexpr std::int64_t kSlices = 16;
constexpr int kRounds = 3;

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

void copy(ThreadTeam& team, const at::Tensor& from, const at::Tensor& to) {
  const auto* source = static_cast<const std::byte*>(from.data_ptr());
  auto* target = static_cast<std::byte*>(to.data_ptr());
  const auto bytes = static_cast<std::int64_t>(from.nbytes());
  const std::int64_t share = bytes / team.threads();
  team.run(team.threads(), [&](std::int64_t part) {
    const std::int64_t first = part * share;
    const std::int64_t count = part + 1 == team.threads() ? bytes - first : share;
    std::memcpy(target + first, source + first, static_cast<std::size_t>(count));
  });
}

// The widest vectors of the processor, as the kernels use them.
#ifdef __x86_64__
#define LIL_EVERY_TARGET __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LIL_EVERY_TARGET
#endif

/// Eight vectors at a time, so that many lines are under way.
LIL_EVERY_TARGET std::uint64_t sum_of_words(const std::byte* data, std::int64_t bytes) {
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

/// Whole pieces of it.
void read(ThreadTeam& team, const at::Tensor& memory) {
  const auto* data = static_cast<const std::byte*>(memory.data_ptr());
  std::atomic<std::uint64_t> sum = 0;
  team.run(static_cast<std::int64_t>(memory.nbytes()) / kPieceBytes,
           [&](std::int64_t part) { sum += sum_of_words(data + part * kPieceBytes, kPieceBytes); });
}

// -------------------------------------------------------------------------------------------------- one case

/// Keys and values of every request, its tokens one after another.
struct Pool {
  at::Tensor keys;    ///< (requests, kTokens, head_dim)
  at::Tensor values;  ///< as keys

  [[nodiscard]] std::int64_t requests() const { return keys.size(0); }
  [[nodiscard]] Pool slice(std::int64_t first, std::int64_t count) const {
    return {keys.narrow(0, first, count), values.narrow(0, first, count)};
  }
  [[nodiscard]] std::int64_t bytes() const {
    return static_cast<std::int64_t>(keys.nbytes() + values.nbytes());
  }
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
  Kernel(const NamedType& type, const Pool& pool, const at::Tensor& queries, std::int32_t page_size) {
    const std::int64_t requests = queries.size(0);
    const std::int64_t group = queries.size(1);
    const std::int64_t head_dim = queries.size(2);
    const std::int64_t pages = kTokens / page_size;
    pages_.resize(static_cast<std::size_t>(requests * pages));
    for (std::size_t i = 0; i < pages_.size(); ++i) pages_[i] = static_cast<std::int32_t>(i);
    tokens_.assign(static_cast<std::size_t>(requests), kTokens);
    const std::int64_t splits = lil::kernels::splits_of(kTokens);
    partial_out_ = at::empty({requests, splits, group, head_dim}, at::kFloat);
    partial_lse_ = at::empty({requests, splits, group}, at::kFloat);
    out_ = at::empty({requests, group, head_dim}, type.torch);

    attention_.dtype = merge_.dtype = type.dtype;
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

  void attend(ThreadTeam& team, std::int64_t first, std::int64_t count) const {
    lil::kernels::DecodeAttentionArgs args = attention_;
    args.requests = static_cast<std::int32_t>(count);
    args.queries = static_cast<const std::byte*>(args.queries) +
                   first * args.query_request_stride * lil::kernels::bytes_of(args.dtype);
    args.lists.pages += first * args.lists.stride;
    args.lists.tokens += first;
    args.partial_out += first * merge_.states * args.group * args.head_dim;
    args.partial_lse += first * merge_.states * args.group;
    call(lil::kernels::cpu_backend().decode_attention(args, &team));
  }
  void merge(ThreadTeam& team, std::int64_t first, std::int64_t count) const {
    lil::kernels::MergeStatesArgs args = merge_;
    args.requests = static_cast<std::int32_t>(count);
    args.partial_out += first * args.states * args.group * args.head_dim;
    args.partial_lse += first * args.states * args.group;
    args.out = static_cast<std::byte*>(args.out) +
               first * args.out_request_stride * lil::kernels::bytes_of(args.dtype);
    call(lil::kernels::cpu_backend().merge_states(args, &team));
  }
  [[nodiscard]] const at::Tensor& out() const { return out_; }
  [[nodiscard]] std::int32_t page_size() const { return attention_.lists.page_size; }

 private:
  static void call(lil::kernels::Status status) {
    if (status != lil::kernels::Status::kOk) throw std::logic_error(to_string(status));
  }

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

at::Tensor attend_at_once(const at::Tensor& queries, const Pool& pool, double scale) {
  const at::Tensor logits = at::bmm(queries, pool.keys.transpose(1, 2)).mul_(scale);
  return at::bmm(at::softmax(logits, -1), pool.values);
}

Pool widened(const Pool& pool) {
  return {pool.keys.to(at::kFloat), pool.values.to(at::kFloat)};
}

/// A request at a time: intermediate results stay in the caches.
at::Tensor attend_each(const at::Tensor& queries, const Pool& pool, double scale, bool widen) {
  std::vector<at::Tensor> outs;
  for (std::int64_t r = 0; r < pool.requests(); ++r) {
    const Pool one = widen ? widened(pool.slice(r, 1)) : pool.slice(r, 1);
    outs.push_back(
        attend_at_once(widen ? queries.narrow(0, r, 1).to(at::kFloat) : queries.narrow(0, r, 1), one, scale));
  }
  return at::cat(outs);
}

std::vector<Formulation> formulations(DType dtype) {
  std::vector<Formulation> all;
  if (dtype != DType::kFp16) {  // libtorch 1.13 multiplies no fp16 matrices on a CPU
    all.push_back({"at once", attend_at_once});
    all.push_back({"each", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_each(queries, pool, scale, false);
                   }});
  }
  if (dtype != DType::kFp32) {
    all.push_back({"widened", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_at_once(queries.to(at::kFloat), widened(pool), scale);
                   }});
    all.push_back({"each widened", [](const at::Tensor& queries, const Pool& pool, double scale) {
                     return attend_each(queries, pool, scale, true);
                   }});
  }
  return all;
}

/// The formulation that is fastest on one slice.
Formulation fastest_torch(const NamedType& type, const at::Tensor& queries, const Pool& pool, double scale) {
  Formulation fastest;
  double seconds = std::numeric_limits<double>::infinity();
  for (const Formulation& formulation : formulations(type.dtype)) {
    Best best;
    for (int run = 0; run < 3; ++run) {
      best.time([&] { formulation.run(queries, pool, scale); });
    }
    if (best.seconds() < seconds) fastest = formulation;
    seconds = std::min(seconds, best.seconds());
  }
  return fastest;
}

/// Greatest difference from libtorch in fp32.
double difference(const at::Tensor& queries, const Pool& pool, double scale, const at::Tensor& out) {
  const at::Tensor expected = attend_at_once(queries.to(at::kFloat), widened(pool), scale);
  return (out.to(at::kFloat) - expected).abs().max().item<double>();
}

// ---------------------------------------------------------------------------------------------------- table

/// What memory does, whatever the group.
struct MemoryTimes {
  Best copy;  ///< of all keys
  Best read;  ///< of a slice of them
};

struct GroupTimes {
  std::int64_t group = 0;
  const char* formulation = "";
  Best torch;  ///< of a slice, as the others
  std::array<Best, 2> attend;
  std::array<Best, 2> merge;
  std::array<double, 2> apart{};  ///< greatest difference from libtorch
};

constexpr std::array<std::int32_t, 2> kPageSizes = {16, 1};
constexpr std::int64_t kTurnsPerCopy = 8;

GroupTimes take_turns(ThreadTeam& team, const NamedType& type, std::int64_t group, const Pool& pool,
                      const at::Tensor& target, MemoryTimes& memory) {
  const std::int64_t head_dim = pool.keys.size(2);
  const at::Tensor queries = random_rows(type, {pool.requests(), group, head_dim}, 3);
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const std::int64_t count = pool.requests() / kSlices;
  const std::array<Kernel, 2> kernels{Kernel(type, pool, queries, kPageSizes[0]),
                                      Kernel(type, pool, queries, kPageSizes[1])};
  const Formulation torch = fastest_torch(type, queries.narrow(0, 0, count), pool.slice(0, count), scale);
  GroupTimes times;
  times.group = group;
  times.formulation = torch.name;
  for (std::int64_t turn = 0; turn < kRounds * kSlices; ++turn) {
    const auto first_of = [&](std::int64_t lead) { return (turn + lead) % kSlices * count; };
    if (turn % kTurnsPerCopy == 0) memory.copy.time([&] { copy(team, pool.keys, target); });
    memory.read.time([&] { read(team, pool.keys.narrow(0, first_of(0), count)); });
    const std::int64_t first = first_of(4);
    times.torch.time([&] { torch.run(queries.narrow(0, first, count), pool.slice(first, count), scale); });
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      const std::int64_t other = first_of(k == 0 ? 8 : 12);
      times.attend[k].time([&] { kernels[k].attend(team, other, count); });
      times.merge[k].time([&] { kernels[k].merge(team, other, count); });
    }
  }
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    for (const std::int64_t first : {std::int64_t{0}, pool.requests() - count}) {
      const double apart = difference(queries.narrow(0, first, count), pool.slice(first, count), scale,
                                      kernels[k].out().narrow(0, first, count));
      times.apart[k] = std::max(times.apart[k], apart);
    }
  }
  return times;
}

/// Whether all answers agree.
bool print(const NamedType& type, const Pool& pool, const MemoryTimes& memory, const GroupTimes& times) {
  const double copy = memory.copy.gigabytes_a_second(pool.bytes());  // keys, read and written
  bool good = true;
  for (std::size_t k = 0; k < kPageSizes.size(); ++k) {
    const double bandwidth = times.attend[k].gigabytes_a_second(pool.bytes() / kSlices);
    const double ours = times.attend[k].seconds() + times.merge[k].seconds();
    const bool agrees = times.apart[k] <= type.tolerance;
    fmt::print(
        "{} {:>4} {:>2} {:>4} {:>6.1f} {:>8.2f} {:>9.2f} {:>8.2f} {:>8.2f} {:>6.1f}  {:<12} {:.0e} {}\n",
        type.name, pool.keys.size(2), times.group, kPageSizes[k], bandwidth, bandwidth / copy,
        times.attend[k].seconds() * 1e3, times.merge[k].seconds() * 1e3, times.torch.seconds() * 1e3,
        times.torch.seconds() / ours, times.formulation, times.apart[k], agrees ? "agrees" : "DIFFERS");
    good = good && agrees;
  }
  return good;
}

bool measure(ThreadTeam& team, const NamedType& type, std::int64_t head_dim, double gibibytes) {
  const double bytes_a_slice_request =
      static_cast<double>(kSlices * 2 * kTokens * head_dim * lil::kernels::bytes_of(type.dtype));
  const std::int64_t requests =
      kSlices * std::max<std::int64_t>(
                    1, std::llround(gibibytes * static_cast<double>(1 << 30) / bytes_a_slice_request));
  const Pool pool{random_rows(type, {requests, kTokens, head_dim}, 1),
                  random_rows(type, {requests, kTokens, head_dim}, 2)};
  const at::Tensor target = at::zeros_like(pool.keys);
  MemoryTimes memory;
  std::vector<GroupTimes> groups;
  for (const std::int64_t group : {1, 3, 4, 6}) {
    groups.push_back(take_turns(team, type, group, pool, target, memory));
  }
  fmt::print("{} requests of {} tokens, {} threads: copy {:.1f} GB/s read and written, read {:.1f} GB/s\n",
             requests, kTokens, team.threads(), memory.copy.gigabytes_a_second(pool.bytes()),
             memory.read.gigabytes_a_second(pool.bytes() / 2 / kSlices));
  fmt::print("type  dim  G page    K+V K+V/copy attend ms merge ms torch ms  ratio  torch by     apart\n");
  bool good = true;
  for (const GroupTimes& times : groups) good = print(type, pool, memory, times) && good;
  std::fflush(stdout);
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
    if (only != "all" && only != type.name) continue;
    for (const std::int64_t head_dim : {64, 128}) good = measure(team, type, head_dim, gibibytes) && good;
  }
  return good ? 0 : 1;
}
