// frontier_bench [TRACES [TOKENS]]: every threshold at once against the rule run at each threshold.
//
// Makes a store of TRACES traces (10,000) of about TOKENS tokens (4,000) with 12 curves each, computes the
// frontiers of 20 values of f over it with 1 and 2 threads, and on a few of the traces compares every row
// with what the rule itself does at that t. A fast wrong answer fails.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "analyze/frontier.h"
#include "replay/stop_rules/registry.h"
#include "schemas/answer_store.h"
#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "schemas/vocabulary.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace {

using namespace lil;

constexpr std::int64_t kGrid = 50;
constexpr int kSignals = 12;
constexpr const char* kGrading = "bench";

double seconds_of(const auto& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Growth as compressors show it: noisy, ever smaller, and all but none in a loop at the end of some traces.
schemas::Curve made_up_curve(std::mt19937_64& random, std::int64_t tokens) {
  schemas::Curve curve{kGrid, {0}};
  const std::int64_t loop_from = random() % 4 == 0 ? tokens / 2 : tokens;
  for (std::int64_t k = kGrid; k <= tokens; k += kGrid) {
    const auto noise = static_cast<std::int64_t>(random() % 60);
    curve.values.push_back(curve.values.back() + (k > loop_from ? noise % 3 : 20 + noise));
  }
  return curve;
}

void put_trace(schemas::Store& store, const schemas::RunRecord& run, schemas::RunKey key,
               std::mt19937_64& random, std::int64_t number, std::int64_t mean_tokens) {
  const std::int64_t tokens =
      mean_tokens / 2 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(mean_tokens));
  const schemas::Problem problem{"toys", std::to_string(number), "?", "1", schemas::AnswerKind::kNumber};
  const auto start = tests::minimal_trace(run, key, problem, schemas::put_problem(store, problem));
  schemas::TraceWriter writer(store, start);
  const std::vector<schemas::TokenId> ids(static_cast<std::size_t>(tokens), 46);
  writer.append({ids, {}, {}, {}});
  writer.finish(schemas::Finish::kStop, 0, 0);
  schemas::TraceFilter filter;
  filter.uid = start.uid;
  const auto trace = schemas::list_traces(store, filter).at(0).key;
  schemas::put_answers(store, trace, kGrading,
                       {{0, "", "none"}, {1 + tokens / 3, "2", "wrong"}, {1 + tokens / 2, "1", "right"}});
  for (int signal = 0; signal < kSignals; ++signal) {
    schemas::put_curve(store, trace, {fmt::format("ngram(n={})", signal + 1), "1", "text", kGrid},
                       made_up_curve(random, tokens), 0);
  }
}

void make_store(const std::filesystem::path& path, std::int64_t traces, std::int64_t tokens) {
  schemas::Store store = schemas::Store::open(path, schemas::Access::kCreate);
  const auto run = tests::minimal_run("{}", schemas::put_tokenizer(store, schemas::Vocabulary::bytes()));
  const auto key = schemas::put_run(store, run);
  std::mt19937_64 random(1);
  for (std::int64_t first = 0; first < traces; first += 200) {
    schemas::Transaction transaction(store);
    for (std::int64_t i = first; i < std::min(traces, first + 200); ++i)
      put_trace(store, run, key, random, i, tokens);
    transaction.commit();
  }
}

analyze::FrontierRequest request_with(int threads) {
  analyze::FrontierRequest request;
  request.grading = kGrading;
  request.threads = threads;
  for (int f = 50; f <= 1000; f += 50) request.rules.push_back(fmt::format("guardian(f={})", f));
  return request;
}

/// Tokens kept by the rule itself at every row's t, on every trace: must be the row's.
bool agrees_with_the_rule(const schemas::Store& store, const analyze::Frontier& frontier, double& seconds,
                          std::int64_t& settings) {
  const auto traces = schemas::list_traces(store, {});
  std::vector<schemas::Curve> curves;
  for (const auto& trace : traces) {
    curves.push_back(*schemas::read_curve(store, trace.key, {frontier.cell.signal, "1", "text", kGrid}));
  }
  bool agree = true;
  seconds += seconds_of([&] {
    for (const auto& row : frontier.rows) {
      const auto rule = replay::make_stop_rule(frontier.shape.with_threshold(row.t));
      std::int64_t kept = 0;
      for (std::size_t i = 0; i < traces.size(); ++i) {
        kept += rule->stop({traces[i].tokens, &curves[i], {}}).value_or(traces[i].tokens);
      }
      agree = agree && kept == row.kept;
      ++settings;
    }
  });
  return agree;
}

bool compare_with_the_rule(const std::filesystem::path& path) {
  make_store(path, 100, 4000);
  const schemas::Store store = schemas::Store::open(path, schemas::Access::kRead);
  bool agree = true;
  double slow = 0;
  std::int64_t settings = 0;
  std::int64_t frontiers = 0;
  const double fast = seconds_of([&] { analyze_frontiers(store, request_with(1), [](const auto&) {}); });
  analyze_frontiers(store, request_with(1), [&](const analyze::Frontier& frontier) {
    if (++frontiers % 8 == 1) agree = agrees_with_the_rule(store, frontier, slow, settings) && agree;
  });
  fmt::print(
      "100 traces, {} frontiers: {:.3f} s; the rule at each t of every eighth: {} settings, {:.3f} s; {}\n",
      frontiers, fast, settings, slow, agree ? "equal" : "NOT EQUAL");
  return agree;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t traces = argc > 1 ? std::atoll(argv[1]) : 10'000;
  const std::int64_t tokens = argc > 2 ? std::atoll(argv[2]) : 4'000;
  if (traces < 1 || tokens < 2 || argc > 3) {
    fmt::print(stderr, "frontier_bench [TRACES [TOKENS]]: numbers, 10000 and 4000 where not given\n");
    return 2;
  }
  const tests::TemporaryDirectory folder;
  const bool agree = compare_with_the_rule(folder / "small.db");
  const double making = seconds_of([&] { make_store(folder / "large.db", traces, tokens); });
  fmt::print("{} traces of {} tokens on average with {} curves, made in {:.1f} s\n", traces, tokens, kSignals,
             making);
  const schemas::Store store = schemas::Store::open(folder / "large.db", schemas::Access::kRead);
  std::size_t rows_before = 0;
  bool same = true;
  for (const int threads : {1, 2}) {
    std::size_t rows = 0;
    const double seconds = seconds_of([&] {
      analyze_frontiers(store, request_with(threads),
                        [&](const auto& frontier) { rows += frontier.rows.size(); });
    });
    same = same && (rows_before == 0 || rows == rows_before);
    rows_before = rows;
    fmt::print("  {} threads: {:.1f} s for {} frontiers, {} rows\n", threads, seconds, kSignals * 20, rows);
  }
  return agree && same ? 0 : 1;
}
