#include "analyze/compare/compare_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <utility>

#include "schemas/error.h"

namespace lil::analyze {
namespace {

struct NamedOutcome {
  std::string problem_id;
  std::string gold;
  ProblemOutcome outcome;
};

/// By problem, in the order of the group.
std::vector<NamedOutcome> outcomes_of(const TraceGroup& group, const TraceStops& stops) {
  assert(stops.size() == group.traces.size());
  std::vector<NamedOutcome> problems(group.problems);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const GradedTrace& trace = group.traces[i];
    NamedOutcome& problem = problems[trace.problem];
    problem.problem_id = trace.info.problem_id;
    problem.gold = trace.info.gold;
    const std::int64_t kept = stops[i].value_or(trace.info.tokens);
    ++problem.outcome.traces;
    problem.outcome.right += trace.right_at(kept) ? 1 : 0;
    problem.outcome.tokens += static_cast<double>(kept);
    problem.outcome.capped += trace.info.finish == schemas::Finish::kLength ? 1 : 0;
  }
  for (NamedOutcome& problem : problems) {
    problem.outcome.right /= static_cast<double>(problem.outcome.traces);
    problem.outcome.tokens /= static_cast<double>(problem.outcome.traces);
  }
  return problems;
}

/// The problems of both, in the order of A.
std::vector<PairedProblem> pair_stopped(const TraceGroup& a, const TraceStops& stops_a, const TraceGroup& b,
                                        const TraceStops& stops_b) {
  std::map<std::string, NamedOutcome> of_b;
  for (NamedOutcome& problem : outcomes_of(b, stops_b)) of_b.emplace(problem.problem_id, std::move(problem));
  std::vector<PairedProblem> pairs;
  for (const NamedOutcome& in_a : outcomes_of(a, stops_a)) {
    const auto in_b = of_b.find(in_a.problem_id);
    if (in_b == of_b.end()) continue;
    if (in_b->second.gold != in_a.gold) {
      throw Error(
          ErrorCode::kConflict,
          fmt::format("problem {} of {} has the gold answer '{}' in run {} and '{}' in run {}: it is not "
                      "the same problem",
                      in_a.problem_id, a.problem_set, in_a.gold, a.run.uid, in_b->second.gold, b.run.uid));
    }
    pairs.push_back({in_a.problem_id, in_a.outcome, in_b->second.outcome});
  }
  return pairs;
}

using Pair = std::pair<ProblemOutcome, ProblemOutcome>;

bool has_repeats(const std::vector<Pair>& pairs) {
  return std::any_of(pairs.begin(), pairs.end(),
                     [](const Pair& pair) { return pair.first.traces > 1 || pair.second.traces > 1; });
}

void fill_means(const std::vector<Pair>& pairs, PairedRuns& found) {
  const auto n = static_cast<double>(std::max<std::size_t>(1, pairs.size()));
  for (const auto& [a, b] : pairs) {
    found.accuracy_a += a.right;
    found.accuracy_b += b.right;
    found.tokens_a += a.tokens;
    found.tokens_b += b.tokens;
  }
  for (double* sum : {&found.accuracy_a, &found.accuracy_b, &found.tokens_a, &found.tokens_b}) *sum /= n;
  found.difference.value = found.accuracy_b - found.accuracy_a;
}

void fill_difference(const std::vector<Pair>& pairs, const Bootstrap& bootstrap, PairedRuns& found) {
  if (has_repeats(pairs)) {
    std::vector<RatioPart> parts;
    for (const auto& [a, b] : pairs) parts.push_back({b.right - a.right, 1});
    found.difference.interval = bootstrap_ratio(parts, bootstrap);
    return;
  }
  PairedCounts counts{static_cast<std::int64_t>(pairs.size()), 0, 0};
  for (const auto& [a, b] : pairs) {
    counts.only_a += a.right > b.right ? 1 : 0;
    counts.only_b += b.right > a.right ? 1 : 0;
  }
  found.counts = counts;
  found.difference.interval = tango(counts, bootstrap.confidence);
  found.mcnemar = mcnemar_exact(counts);
}

void fill_ratio(const std::vector<Pair>& pairs, const Bootstrap& bootstrap, PairedRuns& found) {
  if (found.tokens_a == 0) return;
  std::vector<RatioPart> parts;
  for (const auto& [a, b] : pairs) parts.push_back({b.tokens, a.tokens});
  found.length_ratio = Estimate{found.tokens_b / found.tokens_a, bootstrap_ratio(parts, bootstrap)};
}

}  // namespace

PairedRuns pair_runs(const TraceGroup& a, const TraceStops& stops_a, const TraceGroup& b,
                     const TraceStops& stops_b, const Bootstrap& bootstrap) {
  const std::vector<PairedProblem> problems = pair_stopped(a, stops_a, b, stops_b);
  PairedRuns found;
  std::vector<Pair> pairs;
  for (const PairedProblem& problem : problems) {
    pairs.emplace_back(problem.a, problem.b);
    if (problem.is_changed()) found.changed.push_back(problem);
  }
  found.problems = static_cast<std::int64_t>(pairs.size());
  found.only_in_a = static_cast<std::int64_t>(a.problems) - found.problems;
  found.only_in_b = static_cast<std::int64_t>(b.problems) - found.problems;
  fill_means(pairs, found);
  fill_difference(pairs, bootstrap, found);
  fill_ratio(pairs, bootstrap, found);
  return found;
}

std::vector<PairedProblem> pair_problems(const TraceGroup& a, const TraceGroup& b) {
  return pair_stopped(a, TraceStops(a.traces.size()), b, TraceStops(b.traces.size()));
}

PairedRuns pair_runs(const TraceGroup& a, const TraceGroup& b, const Bootstrap& bootstrap) {
  return pair_runs(a, TraceStops(a.traces.size()), b, TraceStops(b.traces.size()), bootstrap);
}

}  // namespace lil::analyze
