// Writes and reads token streams as the recorder does, a commit a block, and prints tokens per second and
// bytes per token; what is read must be what was written. Beside it, the same bytes through a plain file.
//
//   store_bench [traces] [tokens a trace]
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "schemas/block_codec.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace {

using lil::schemas::Access;
using lil::schemas::Store;
using lil::schemas::TokenId;
using lil::schemas::TraceTokens;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Ids as frequent as those of a BPE vocabulary of 151,643 tokens: low ones often, high ones seldom.
TraceTokens synthetic(std::int64_t tokens, std::uint32_t seed, bool per_token) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  TraceTokens trace;
  for (std::int64_t i = 0; i < tokens; ++i) {
    trace.ids.push_back(static_cast<TokenId>(std::pow(151643.0, uniform(generator))) - 1);
    if (!per_token) continue;
    trace.logprob.push_back(lil::schemas::float_from_half(
        lil::schemas::half_from_float(static_cast<float>(std::log(uniform(generator) + 1e-6)))));
    trace.entropy.push_back(-trace.logprob.back());
    trace.attended.push_back(static_cast<std::int32_t>(std::min<std::int64_t>(i + 100, 1024)));
  }
  return trace;
}

void write_traces(Store& store, const std::vector<TraceTokens>& traces) {
  const auto run = lil::tests::minimal_run("{}", put_tokenizer(store, lil::schemas::Vocabulary::bytes()));
  const auto run_key = put_run(store, run);
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const lil::schemas::Problem problem{"toys", std::to_string(i), "", "1",
                                        lil::schemas::AnswerKind::kNumber};
    lil::schemas::TraceWriter writer(
        store, lil::tests::minimal_trace(run, run_key, problem, put_problem(store, problem)));
    writer.append({traces[i].ids, traces[i].logprob, traces[i].entropy, traces[i].attended});
    writer.finish(lil::schemas::Finish::kLength, 0, 0);
  }
}

bool read_back(const Store& store, const std::vector<TraceTokens>& traces) {
  std::size_t i = 0;
  for (const auto& info : list_traces(store, {})) {
    const TraceTokens tokens = read_tokens(store, info.key);
    const TraceTokens& written = traces[i++];
    if (tokens.ids != written.ids || tokens.logprob != written.logprob || tokens.entropy != written.entropy ||
        tokens.attended != written.attended) {
      return false;
    }
  }
  return i == traces.size();
}

double plain_file_seconds(const std::string& path, const std::vector<TraceTokens>& traces) {
  const auto start = std::chrono::steady_clock::now();
  std::ofstream file(path, std::ios::binary);
  for (const TraceTokens& trace : traces) {
    file.write(reinterpret_cast<const char*>(trace.ids.data()),
               static_cast<std::streamsize>(trace.ids.size() * sizeof(TokenId)));
  }
  file.flush();
  return seconds_since(start);
}

bool run(std::int64_t count, std::int64_t tokens, bool per_token) {
  const lil::tests::TemporaryDirectory folder;
  std::vector<TraceTokens> traces;
  for (std::int64_t i = 0; i < count; ++i) {
    traces.push_back(synthetic(tokens, static_cast<std::uint32_t>(i), per_token));
  }
  const auto total = static_cast<double>(count * tokens);
  const std::string path = folder / "s.db";
  auto start = std::chrono::steady_clock::now();
  {
    Store store = Store::open(path, Access::kCreate);
    write_traces(store, traces);
  }
  const double write_s = seconds_since(start);
  start = std::chrono::steady_clock::now();
  const bool equal = read_back(Store::open(path, Access::kRead), traces);
  const double read_s = seconds_since(start);
  fmt::print(
      "{:<18} write {:6.2f} M tokens/s  read {:6.2f} M tokens/s  {:.2f} bytes a token  plain file of ids "
      "{:.2f} M "
      "tokens/s  {}\n",
      per_token ? "all of a token" : "ids alone", total / write_s / 1e6, total / read_s / 1e6,
      static_cast<double>(std::filesystem::file_size(path)) / total,
      total / plain_file_seconds(folder / "plain", traces) / 1e6, equal ? "equal" : "DIFFERENT");
  return equal;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t count = argc > 1 ? std::atoll(argv[1]) : 100;
  const std::int64_t tokens = argc > 2 ? std::atoll(argv[2]) : 20000;
  const bool ids = run(count, tokens, false);
  return run(count, tokens, true) && ids ? 0 : 1;
}
