#include "analyze/compare/compare_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "schemas/error.h"
#include "schemas/trace_store.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/command.h"
#include "tools/commands/compare_html.h"
#include "tools/commands/compare_modes.h"
#include "tools/commands/run_labels.h"
#include "tools/commands/shares.h"
#include "tools/commands/source_options.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using analyze::PairedRuns;
using analyze::TraceGroup;

/// A run and problem set, and the store it is in.
struct Side {
  std::string store;
  TraceGroup group;
};

struct Pairing {
  const Side* a = nullptr;
  const Side* b = nullptr;
  PairedRuns runs;
};

std::vector<Side> load_sides(const std::string& path, const analyze::SourceRequest& request) {
  const auto store = schemas::Store::open(path, schemas::Access::kRead);
  std::vector<Side> sides;
  for (TraceGroup& group : analyze::load_groups(store, request)) sides.push_back({path, std::move(group)});
  return sides;
}

/// Two runs that may be held against each other.
using Couple = std::pair<const Side*, const Side*>;

/// Every two different runs of the same problem set, by those of B.
std::vector<Couple> couples_of(const std::vector<Side>& sides_a, const std::vector<Side>& sides_b) {
  std::vector<Couple> couples;
  for (const Side& b : sides_b) {
    for (const Side& a : sides_a) {
      const bool itself = a.store == b.store && a.group.run.uid == b.group.run.uid;
      if (!itself && a.group.problem_set == b.group.problem_set) couples.emplace_back(&a, &b);
    }
  }
  return couples;
}

/// What two runs should agree in, in this order of weight; the policy only from store to store, since in one
/// store it is what is compared.
std::vector<std::function<std::string(const schemas::RunRecord&)>> pairing_keys(bool by_policy) {
  using schemas::RunRecord;
  std::vector<std::function<std::string(const RunRecord&)>> keys = {
      [](const RunRecord& run) { return run.model; }, [](const RunRecord& run) { return run.sampler; }};
  if (by_policy) keys.emplace_back([](const RunRecord& run) { return run.policy; });
  keys.emplace_back([](const RunRecord& run) { return run.prompt_template; });
  keys.emplace_back(
      [](const RunRecord& run) { return run.cap_tokens ? std::to_string(*run.cap_tokens) : ""; });
  keys.emplace_back([](const RunRecord& run) { return run.stop_rule; });
  keys.emplace_back([](const RunRecord& run) { return std::to_string(run.seed); });
  keys.emplace_back([](const RunRecord& run) { return run.dtype; });
  return keys;
}

/// Of one problem set, key by key: where any two runs agree in it, only such are held against each other.
std::vector<Couple> agreeing(std::vector<Couple> couples, bool by_policy) {
  for (const auto& key : pairing_keys(by_policy)) {
    std::vector<Couple> agree;
    for (const Couple& couple : couples) {
      if (key(couple.first->group.run) == key(couple.second->group.run)) agree.push_back(couple);
    }
    if (!agree.empty()) couples = std::move(agree);
  }
  return couples;
}

Value fixed(double value) {
  return Fixed{value, kShareDecimals};
}

std::int64_t capped(const TraceGroup& group) {
  std::int64_t count = 0;
  for (const auto& trace : group.traces) count += trace.info.finish == schemas::Finish::kLength ? 1 : 0;
  return count;
}

Table whole_table(const std::vector<Pairing>& pairings) {
  Table table({"store_a",        "run_a",           "model_a",       "policy_a",         "store_b",
               "run_b",          "model_b",         "policy_b",      "problem_set",      "problems",
               "only_in_a",      "only_in_b",       "accuracy_a",    "accuracy_b",       "difference",
               "difference_low", "difference_high", "right_a_alone", "right_b_alone",    "mcnemar_p",
               "tokens_a",       "tokens_b",        "length_ratio",  "length_ratio_low", "length_ratio_high",
               "traces_a",       "capped_a",        "traces_b",      "capped_b"});
  for (const Pairing& pairing : pairings) {
    const auto& [a, b, runs] = pairing;
    const auto& ratio = runs.length_ratio;
    table.add_row({a->store,
                   a->group.run.uid,
                   a->group.run.model,
                   a->group.run.policy,
                   b->store,
                   b->group.run.uid,
                   b->group.run.model,
                   b->group.run.policy,
                   b->group.problem_set,
                   runs.problems,
                   runs.only_in_a,
                   runs.only_in_b,
                   fixed(runs.accuracy_a),
                   fixed(runs.accuracy_b),
                   fixed(runs.difference.value),
                   fixed(runs.difference.interval.low),
                   fixed(runs.difference.interval.high),
                   runs.counts ? Value(runs.counts->only_a) : Value(),
                   runs.counts ? Value(runs.counts->only_b) : Value(),
                   runs.mcnemar ? fixed(*runs.mcnemar) : Value(),
                   fixed(runs.tokens_a),
                   fixed(runs.tokens_b),
                   ratio ? fixed(ratio->value) : Value(),
                   ratio ? fixed(ratio->interval.low) : Value(),
                   ratio ? fixed(ratio->interval.high) : Value(),
                   static_cast<std::int64_t>(a->group.traces.size()),
                   capped(a->group),
                   static_cast<std::int64_t>(b->group.traces.size()),
                   capped(b->group)});
  }
  return table;
}

std::vector<std::string> changed_columns() {
  return {"problem_id", "right_a", "right_b", "tokens_a", "tokens_b", "capped_a", "capped_b"};
}

/// `right`, `wrong`, or for programs and where repeats differ the share of them that is right.
Value right_of(double share, bool reading) {
  constexpr int kRightDecimals = 2;
  if (!reading || (share > 0 && share < 1)) return Fixed{share, kRightDecimals};
  return share > 0 ? "right" : "wrong";
}

std::vector<Value> changed_row(const analyze::ChangedProblem& problem, bool reading) {
  return {problem.problem_id,
          right_of(problem.a.right, reading),
          right_of(problem.b.right, reading),
          Fixed{problem.a.tokens, 0},
          Fixed{problem.b.tokens, 0},
          problem.a.capped,
          problem.b.capped};
}

/// Every problem that changed, under the columns that name the runs.
Table changed_table(const std::vector<Pairing>& pairings) {
  std::vector<std::string> names{"store_a", "run_a", "store_b", "run_b", "problem_set"};
  for (std::string& name : changed_columns()) names.push_back(std::move(name));
  Table table(names);
  for (const Pairing& pairing : pairings) {
    for (const analyze::ChangedProblem& problem : pairing.runs.changed) {
      std::vector<Value> row{pairing.a->store, pairing.a->group.run.uid, pairing.b->store,
                             pairing.b->group.run.uid, pairing.b->group.problem_set};
      for (Value& value : changed_row(problem, false)) row.push_back(std::move(value));
      table.add_row(std::move(row));
    }
  }
  return table;
}

std::string name_of(const Side& side) {
  const schemas::RunRecord& run = side.group.run;
  return fmt::format("{} run {}: model {}, policy {}, sampler {}, {} traces", side.store, run.uid, run.model,
                     brief_policy(run.policy), run.sampler, side.group.traces.size());
}

/// The same with whatever else differs from the run on the other side.
std::string name_of(const Side& side, const Side& other) {
  const std::string details = differing_details(side.group.run, other.group.run);
  return name_of(side) + (details.empty() ? "" : ", " + details);
}

Table reading_table(const PairedRuns& runs) {
  Table table({"problems", "right in A", "right in B", "difference", "95 %", "A alone", "B alone",
               "McNemar p", "tokens A", "tokens B", "ratio", "95 %"});
  const auto& ratio = runs.length_ratio;
  table.add_row(
      {runs.problems, percent(runs.accuracy_a), percent(runs.accuracy_b),
       fmt::format("{:+.1f}", 100 * runs.difference.value), percent(runs.difference.interval),
       runs.counts ? Value(runs.counts->only_a) : Value(), runs.counts ? Value(runs.counts->only_b) : Value(),
       runs.mcnemar ? Value(fmt::format("{:.3g}", *runs.mcnemar)) : Value(), Fixed{runs.tokens_a, 0},
       Fixed{runs.tokens_b, 0}, ratio ? Value(fmt::format("{:.3f}", ratio->value)) : Value(),
       ratio ? Value(fmt::format("{:.3f} to {:.3f}", ratio->interval.low, ratio->interval.high)) : Value()});
  return table;
}

std::string reading_text(const std::vector<Pairing>& pairings, bool changed, TableFormat format) {
  const std::string comment = comment_mark(format);
  const std::string gap = gap_before_table(format);
  std::string text;
  for (const Pairing& pairing : pairings) {
    const PairedRuns& runs = pairing.runs;
    const std::string unpaired =
        runs.only_in_a + runs.only_in_b == 0
            ? ""
            : fmt::format("; {} problems only in A, {} only in B", runs.only_in_a, runs.only_in_b);
    text += fmt::format(
        "{0}{1}A: {2}\n{1}B: {3}\n{1}{4}{5}; intervals: difference by {6}, ratio by bootstrap over "
        "problems\n{7}",
        text.empty() ? "" : "\n", comment, name_of(*pairing.a, *pairing.b), name_of(*pairing.b, *pairing.a),
        pairing.b->group.problem_set, unpaired,
        runs.counts ? "Tango's score" : "bootstrap over problems (there are repeats)", gap);
    if (!changed) {
      text += reading_table(runs).render(format);
      continue;
    }
    Table table(changed_columns());
    for (const analyze::ChangedProblem& problem : runs.changed) table.add_row(changed_row(problem, true));
    text += table.render(format);
  }
  return text;
}

std::vector<Pairing> pair_sides(const std::vector<Side>& sides_a, const std::vector<Side>& sides_b,
                                const analyze::Bootstrap& bootstrap) {
  std::map<std::string, std::vector<Couple>> by_set;
  std::vector<std::string> order;
  const bool by_policy = sides_a.front().store != sides_b.front().store;
  for (const Couple& couple : couples_of(sides_a, sides_b)) {
    auto& of_set = by_set[couple.second->group.problem_set];
    if (of_set.empty()) order.push_back(couple.second->group.problem_set);
    of_set.push_back(couple);
  }
  std::vector<Pairing> pairings;
  for (const std::string& set : order) {
    for (const auto& [a, b] : agreeing(by_set[set], by_policy))
      pairings.push_back({a, b, analyze::pair_runs(a->group, b->group, bootstrap)});
  }
  return pairings;
}

/// Names on stderr the runs of either side that found no partner.
void report_unpaired(const std::vector<Side>& sides_a, const std::vector<Side>& sides_b,
                     const std::vector<Pairing>& pairings) {
  std::set<std::tuple<std::string, std::string, std::string>> told;  // and those that are paired
  const auto id = [](const Side& side) {
    return std::tuple(side.store, side.group.run.uid, side.group.problem_set);
  };
  for (const Pairing& pairing : pairings) told.insert({id(*pairing.a), id(*pairing.b)});
  const std::vector<Couple> couples = couples_of(sides_a, sides_b);
  for (const auto* sides : {&sides_a, &sides_b}) {
    for (const Side& side : *sides) {
      if (!told.insert(id(side)).second) continue;
      const auto is_couple = [&](const Couple& couple) {
        return couple.first == &side || couple.second == &side;
      };
      const bool alone = std::none_of(couples.begin(), couples.end(), is_couple);
      fmt::print(stderr, "left out, as {} {}: {}\n",
                 alone ? "the other side has no other run of" : "others agree better, of",
                 side.group.problem_set, name_of(side));
    }
  }
}

std::string problem_sets_of(const std::vector<Side>& sides) {
  std::set<std::string> names;
  for (const Side& side : sides) names.insert(side.group.problem_set);
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Why no two runs could be paired, and what would help.
[[noreturn]] void throw_no_pairs(const std::vector<Side>& sides_a, const std::vector<Side>& sides_b) {
  const std::string sets_a = problem_sets_of(sides_a);
  const std::string sets_b = problem_sets_of(sides_b);
  if (sets_a == sets_b) {
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("no two different runs of the same problem set are selected: both sides have but one "
                    "run of {}",
                    sets_a));
  }
  throw Error(
      ErrorCode::kNotFound,
      fmt::format("no two different runs of the same problem set are selected: A has {}, B has {}; where "
                  "these are the same problems under two names, import both with one `lil import "
                  "--problem-set NAME`",
                  sets_a, sets_b));
}

std::string html_of(const std::vector<Pairing>& pairings) {
  std::vector<ComparedRuns> pairs;
  pairs.reserve(pairings.size());
  for (const Pairing& pairing : pairings) {
    pairs.push_back(
        {pairing.a->store, pairing.b->store, &pairing.a->group, &pairing.b->group, &pairing.runs});
  }
  return compare_html(pairs);
}

}  // namespace

int compare_runs(const CommandLine& line) {
  const TableFormat format = parse_table_format(line.text("format"));
  std::vector<std::string> left_out;
  analyze::SourceRequest request_b;
  read_source_options(line, request_b, left_out);
  analyze::SourceRequest request_a = request_b;
  if (line.given("against")) request_a.filter = schemas::parse_trace_filter(line.text("against"));
  analyze::Bootstrap bootstrap;
  bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  Output output(line.text("output"));
  std::optional<Output> page;
  if (line.given("html")) page.emplace(line.text("html"));
  const std::vector<Side> sides_a = load_sides(line.store(), request_a);
  std::vector<std::string> others(line.positional().begin() + 1, line.positional().end());
  if (others.empty()) others.push_back(line.store());
  std::vector<Side> sides_b;
  for (const std::string& other : others) {
    for (Side& side : load_sides(other, request_b)) sides_b.push_back(std::move(side));
  }
  const std::vector<Pairing> pairings = pair_sides(sides_a, sides_b, bootstrap);
  if (pairings.empty()) throw_no_pairs(sides_a, sides_b);
  report_unpaired(sides_a, sides_b, pairings);
  if (page) page->write(html_of(pairings));
  const bool changed = line.given("changed");
  if (!for_programs(format)) {
    output.write(reading_text(pairings, changed, format));
  } else {
    output.write((changed ? changed_table(pairings) : whole_table(pairings)).render(format));
  }
  return report_left_out(left_out);
}

}  // namespace lil::tools
