#include "analyze/report/figures/report_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "analyze/report/figures/run_names.h"
#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "replay/stream.h"
#include "schemas/cost_store.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"

namespace lil::analyze {
namespace {

constexpr const char* kWholeTraces = "never";
constexpr const char* kUsualSignal = "zlib(level=6)";
constexpr const char* kGuardian = "guardian";

/// A guardian's rule without its threshold.
std::string without_threshold(const schemas::NamedSpec& spec) {
  std::string inside;
  for (const auto& [key, value] : spec.values) {
    if (key != "t") inside += fmt::format("{}{}={}", inside.empty() ? "" : ",", key, value);
  }
  return fmt::format("{}({})", spec.name, inside);
}

std::int64_t threshold_of(const schemas::NamedSpec& spec) {
  for (const auto& [key, value] : spec.values) {
    if (key == "t") return std::stoll(value);
  }
  return 0;
}

}  // namespace

std::string ReportedRun::name() const {
  return policy.empty() ? setting : setting + " \xC2\xB7 " + policy;
}

ReportSources::ReportSources(const schemas::Store& store, const ReportRequest& request)
    : store_(store), request_(request) {
  for (const std::string& signal : request.signals) static_cast<void>(replay::make_signal(signal));
  read_rules();
  choose_main_measure();
  choose_every();
  load_runs();
}

std::string ReportSources::store_name() const {
  return store_.path().filename().string();
}

std::string ReportSources::in_words(const std::string& message) const {
  const std::string path = store_.path().string();
  std::string words = message;
  if (words.starts_with(path + ": ")) words.erase(0, path.size() + 2);
  for (std::size_t at = words.find(path); at != std::string::npos; at = words.find(path, at))
    words.replace(at, path.size(), store_name());
  return words;
}

void ReportSources::read_rules() {
  main_shape_ = parse_guardian_shape("guardian(f=250)");
  for (const std::string& spec : request_.rules) {
    const std::string rule = replay::make_stop_rule(spec)->name();
    const schemas::NamedSpec named = schemas::parse_named_spec(rule);
    if (named.name != kGuardian) continue;
    guardians_.push_back({rule, parse_guardian_shape(without_threshold(named)), threshold_of(named)});
  }
  if (!guardians_.empty()) main_shape_ = guardians_.front().shape;
}

void ReportSources::choose_main_measure() {
  const std::string text = replay::to_string(replay::StreamKind::kText);
  if (!request_.signals.empty()) {
    const std::string stream = request_.streams.empty() ? text : request_.streams.front();
    main_ = Measure{replay::make_signal(request_.signals.front())->name(), stream};
    measures_.push_back(*main_);
  }
  for (const schemas::CurveId& id : schemas::list_curve_ids(store_)) {
    const bool known = std::any_of(measures_.begin(), measures_.end(), [&](const Measure& measure) {
      return measure.signal == id.signal && measure.stream == id.stream;
    });
    const bool asked_for = request_.streams.empty() || id.stream == request_.streams.front();
    if (known || !asked_for) continue;
    const bool is_usual = id.signal == kUsualSignal && id.stream == text && request_.signals.empty();
    measures_.insert(is_usual ? measures_.begin() : measures_.end(), {id.signal, id.stream});
  }
  if (!measures_.empty()) main_ = measures_.front();
}

int ReportSources::series_of(const std::string& signal, const std::string& stream) const {
  const auto found = std::find_if(measures_.begin(), measures_.end(), [&](const Measure& measure) {
    return measure.signal == signal && measure.stream == stream;
  });
  return static_cast<int>(found - measures_.begin()) + 1;
}

void ReportSources::choose_every() {
  if (!main_) return;
  std::int64_t grid = 0;
  for (const schemas::CurveId& id : schemas::list_curve_ids(store_)) {
    if (id.signal != main_->signal || id.stream != main_->stream) continue;
    grid = grid == 0 ? id.grid_tokens : std::min(grid, id.grid_tokens);
  }
  if (grid == 0) return;
  constexpr std::int64_t kStep = 50;
  constexpr std::int64_t kSteps = 10;
  std::set<std::int64_t> found;
  for (std::int64_t f = kStep; f <= kSteps * kStep; f += kStep) {
    if (f % grid == 0) found.insert(f);
  }
  for (std::int64_t k = 1; found.empty() && k <= kSteps; ++k) found.insert(k * grid);
  if (found.size() == 1) found.clear();
  for (std::int64_t k = 1; found.empty() && k <= kSteps; ++k) found.insert(k * grid);
  for (const ReportedGuardian& guardian : guardians_) {
    if (guardian.shape.every_tokens % grid == 0) found.insert(guardian.shape.every_tokens);
  }
  every_.assign(found.begin(), found.end());
}

void ReportSources::load_runs() {
  CellRequest cells;
  static_cast<SourceRequest&>(cells) = request_;
  cells.bootstrap = request_.bootstrap;
  std::vector<PaperRow> rows;
  if (main_) {
    cells.rules = request_.rules;
    cells.signals = {main_->signal};
    cells.streams = {main_->stream};
    try {
      rows = paper_rows(store_, cells);
    } catch (const Error& error) {
      why_not_stopped_ = in_words(error.what());
      cells.left_out = {};  // they have been told
    }
  } else {
    why_not_stopped_ =
        fmt::format("no curves are stored; run `lil replay {} --signal '{}'`", store_name(), kUsualSignal);
  }
  if (rows.empty()) {
    cells.rules.clear();
    rows = paper_rows(store_, cells);
  }
  for (PaperRow& row : rows) {
    if (row.cell.rule == kWholeTraces) runs_.emplace_back().whole = std::move(row);
  }
  std::map<std::pair<std::string, std::string>, ReportedRun*> by_run;
  for (ReportedRun& run : runs_) by_run[{run.whole.cell.run, run.whole.cell.problem_set}] = &run;
  for (PaperRow& row : rows) {
    if (row.cell.rule.empty() || row.cell.rule == kWholeTraces) continue;
    by_run.at({row.cell.run, row.cell.problem_set})->stopped.push_back(std::move(row));
  }
  for (const schemas::StoredRun& stored : schemas::list_runs(store_)) {
    for (ReportedRun& run : runs_) {
      const Cell& cell = run.whole.cell;
      if (cell.run == stored.record.uid)
        run.step_ns = schemas::decode_step_ns(store_, stored.key, cell.problem_set);
    }
  }
  schemas::TraceFilter filter = request_.filter;
  filter.complete_only = true;
  const auto traces = schemas::list_traces(store_, filter);
  any_gold_ = std::any_of(traces.begin(), traces.end(), [](const schemas::TraceInfo& trace) {
    return trace.kind != schemas::AnswerKind::kNone;
  });
  analyze::name_runs(runs_);
  find_common_budgets();
}

void ReportSources::find_common_budgets() {
  struct Families {
    std::set<int> with_budget;
    std::set<int> with_right_answers;
  };
  std::map<std::string, std::set<int>> families;
  std::map<std::string, std::map<std::int64_t, Families>> budgets;
  for (const ReportedRun& run : runs_) {
    if (run.whole.is_full_attention) continue;
    families[run.setting].insert(run.family_series);
    if (!run.whole.budget) continue;
    Families& found = budgets[run.setting][*run.whole.budget];
    found.with_budget.insert(run.family_series);
    if (run.whole.cell.right_full > 0) found.with_right_answers.insert(run.family_series);
  }
  for (const auto& [setting, by_budget] : budgets) {
    const std::size_t all = families.at(setting).size();
    std::size_t most = 0;
    for (const auto& [budget, found] : by_budget) {
      if (all < 2 || found.with_budget.size() < all) continue;
      if (common_budgets_.count(setting) > 0 && found.with_right_answers.size() <= most) continue;
      common_budgets_[setting] = budget;
      most = found.with_right_answers.size();
    }
  }
}

bool ReportSources::comes_before(std::size_t a, std::size_t b) const {
  const auto rank = [&](const ReportedRun& run) {
    const auto common = common_budgets_.find(run.setting);
    const bool has_common = common != common_budgets_.end() && run.whole.budget == common->second;
    return std::tuple(!run.whole.is_full_attention, run.whole.cell.right_full == 0, !has_common,
                      -run.whole.cell.tokens);
  };
  return rank(runs_[a]) < rank(runs_[b]);
}

std::vector<std::size_t> ReportSources::choose_runs(std::size_t most, const RunFilter* filter) const {
  std::map<std::string, std::vector<std::size_t>> settings;
  std::vector<std::string> order;
  std::size_t fitting = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (filter != nullptr && !filter->admits(runs_[i])) continue;
    ++fitting;
    if (settings.count(runs_[i].setting) == 0) order.push_back(runs_[i].setting);
    settings[runs_[i].setting].push_back(i);
  }
  for (auto& [setting, runs] : settings) {
    std::stable_sort(runs.begin(), runs.end(),
                     [&](std::size_t a, std::size_t b) { return comes_before(a, b); });
  }
  std::vector<std::size_t> chosen;
  for (std::size_t round = 0; chosen.size() < std::min(most, fitting); ++round) {
    for (const std::string& setting : order) {
      const auto& runs = settings.at(setting);
      if (round < runs.size() && chosen.size() < most) chosen.push_back(runs[round]);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::string ReportSources::left_out(const std::vector<std::size_t>& shown, const RunFilter* filter) const {
  constexpr std::size_t kFew = 6;
  if (shown.size() >= runs_.size()) return "";
  std::string names;
  std::size_t others = 0;
  std::size_t unfit = 0;
  std::set<std::string> settings;
  for (const ReportedRun& run : runs_) settings.insert(run.setting);
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (std::binary_search(shown.begin(), shown.end(), i)) continue;
    if (filter != nullptr && !filter->admits(runs_[i])) {
      ++unfit;
      continue;
    }
    const bool by_policy = settings.size() == 1 && !runs_[i].policy.empty();
    names += (others++ == 0 ? "" : ", ") + (by_policy ? runs_[i].policy : runs_[i].name());
  }
  std::string text = fmt::format("{} of {} runs are drawn", shown.size(), runs_.size());
  if (unfit > 0)
    text += fmt::format(" ({} {} {} left out)", unfit, filter->others, unfit == 1 ? "is" : "are");
  if (others == 0) return text;
  std::set<std::int64_t> budgets;
  for (const auto& [setting, budget] : common_budgets_) budgets.insert(budget);
  const std::string common = budgets.size() == 1
                                 ? fmt::format("budget {}, which all policies have", *budgets.begin())
                                 : std::string("a budget that all policies have");
  const bool any_full = std::any_of(runs_.begin(), runs_.end(),
                                    [](const ReportedRun& run) { return run.whole.is_full_attention; });
  const bool any_policy =
      std::any_of(runs_.begin(), runs_.end(), [](const ReportedRun& run) { return !run.policy.empty(); });
  return fmt::format(
      "{}: {}runs with right answers, {}then those that wrote the most tokens. Not drawn for want of room: "
      "{}; "
      "--where 'run=UID'{} asks for them",
      text, any_full ? "full attention first, then " : "first ",
      budgets.empty() ? "" : "of these first " + common + ", ",
      others <= kFew ? names : fmt::format("{} runs", others),
      any_policy ? " or --where 'policy=NAME(budget=N)'" : "");
}

schemas::TraceFilter ReportSources::filter_of(std::size_t run) const {
  schemas::TraceFilter filter = request_.filter;
  filter.run = runs_[run].whole.cell.run;
  filter.problem_set = runs_[run].whole.cell.problem_set;
  return filter;
}

template <class Request>
Request ReportSources::request_for(std::size_t run) const {
  Request request;
  static_cast<SourceRequest&>(request) = request_;
  request.left_out = {};
  request.filter = filter_of(run);
  return request;
}

const TraceGroup& ReportSources::group(std::size_t run) {
  const auto known = groups_.find(run);
  if (known != groups_.end()) return known->second;
  return groups_.emplace(run, std::move(load_groups(store_, request_for<SourceRequest>(run)).front()))
      .first->second;
}

namespace {

/// Makes what is not there yet; an error that comes of the data becomes the reason.
template <class Result, class Make>
const Attempt<Result>& attempt(std::map<std::size_t, Attempt<Result>>& known, std::size_t run,
                               const ReportSources& sources, Make&& make) {
  const auto [entry, is_new] = known.try_emplace(run);
  if (!is_new) return entry->second;
  try {
    entry->second.result = make();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUsage) throw;
    entry->second.why_not = sources.in_words(error.what());
  }
  return entry->second;
}

std::vector<std::string> shapes_of(const std::vector<std::int64_t>& every) {
  std::vector<std::string> shapes;
  shapes.reserve(every.size());
  for (const std::int64_t f : every) shapes.push_back(fmt::format("guardian(f={})", f));
  return shapes;
}

}  // namespace

bool ReportSources::allows_paper_rule() const {
  const std::int64_t f = parse_guardian_shape("guardian(f=250)").every_tokens;
  const auto ids = schemas::list_curve_ids(store_);
  return !ids.empty() && std::all_of(ids.begin(), ids.end(),
                                     [&](const schemas::CurveId& id) { return f % id.grid_tokens == 0; });
}

const Attempt<std::vector<Cell>>& ReportSources::cells(std::size_t run) {
  return attempt(cells_, run, *this, [&] {
    auto request = request_for<CellRequest>(run);
    request.rules = request_.rules;
    if (allows_paper_rule()) request.rules.emplace_back(kPaperRule);
    request.bootstrap = request_.bootstrap;
    return analyze_cells(store_, request);
  });
}

const Attempt<std::vector<Frontier>>& ReportSources::frontiers(std::size_t run) {
  return attempt(frontiers_, run, *this, [&] {
    auto request = request_for<FrontierRequest>(run);
    request.rules = {main_shape_.name};
    request.threads = request_.threads;
    std::vector<Frontier> found;
    analyze_frontiers(store_, request, [&](const Frontier& frontier) { found.push_back(frontier); });
    return found;
  });
}

const Attempt<std::vector<Frontier>>& ReportSources::plane(std::size_t run) {
  return attempt(planes_, run, *this, [&] {
    auto request = request_for<FrontierRequest>(run);
    request.rules = shapes_of(every_);
    request.signals = {main_->signal};
    request.streams = {main_->stream};
    request.threads = request_.threads;
    std::vector<Frontier> found;
    analyze_frontiers(store_, request, [&](const Frontier& frontier) { found.push_back(frontier); });
    return found;
  });
}

const Attempt<SignalComparison>& ReportSources::comparison(std::size_t run) {
  return attempt(comparisons_, run, *this, [&] {
    auto request = request_for<SignalComparisonRequest>(run);
    request.rules = shapes_of(every_);
    request.alpha = request_.alpha;
    request.delta = request_.delta;
    request.bootstrap = request_.bootstrap;
    request.threads = request_.threads;
    request.reference = main_->signal;
    std::optional<SignalComparison> found;
    compare_signals(store_, request, [&](const SignalComparison& one) { found = one; });
    return std::move(*found);
  });
}

std::vector<std::string> cell_values(const Cell& cell, const std::vector<std::string>& columns) {
  std::vector<std::string> values;
  for (const std::string& name : columns) {
    for (const CellColumn& column : cell_columns()) {
      if (column.name == name) values.push_back(column.value(cell));
    }
  }
  return values;
}

}  // namespace lil::analyze
