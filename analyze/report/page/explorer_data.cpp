#include "analyze/report/page/explorer_data.h"

#include <algorithm>
#include <array>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "analyze/compare/loop_onset.h"
#include "analyze/report/page/packed_numbers.h"
#include "analyze/report/page/page_text.h"
#include "analyze/report/page/run_names.h"
#include "analyze/report/page/trace_sample.h"
#include "analyze/report/page/trace_text.h"
#include "replay/stop_rules/registry.h"
#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"

namespace lil::analyze::page {
namespace {

using Json = nlohmann::ordered_json;
using schemas::CurveId;

std::string safe(const std::string& text) {
  return PageText(text).utf8();
}

/// The rules, each once, in their order.
std::vector<schemas::Arguments> rules_of(const ReportRequest& request) {
  std::vector<schemas::Arguments> rules;
  std::set<std::string> names;
  for (const std::string& spec : request.rules) {
    auto arguments = schemas::resolve_row("stop rule", replay::stop_rule_rows(), spec).second;
    if (names.insert(arguments.to_brief_string()).second) rules.push_back(std::move(arguments));
  }
  return rules;
}

/// With what script/stops.js needs to find the stops of a guardian itself.
Json rule_json(const schemas::Arguments& rule) {
  Json json{{"name", rule.to_brief_string()}};
  if (rule.name() != "guardian") return json;
  json["guardian"] = {{"f", rule.integer("f")},
                      {"t", rule.real("t")},
                      {"patience", rule.integer("patience")},
                      {"warmup", rule.integer("warmup")},
                      {"phase", rule.integer("phase")},
                      {"zero", rule.text("first") == "zero"}};
  return json;
}

/// The signals and streams that any group has cells of.
std::vector<Measure> measures_of(const std::vector<GroupCells>& groups) {
  std::vector<Measure> measures;
  std::set<std::pair<std::string, std::string>> seen;
  for (const GroupCells& group : groups) {
    for (const Cell& cell : group.cells) {
      const bool reads = !cell.signal_version.empty();
      if (reads && seen.emplace(cell.signal, cell.stream).second)
        measures.push_back({cell.signal, cell.stream});
    }
  }
  return measures;
}

/// The finest curve of each measure: its stops can be found at most distances between checks.
class FinestCurves {
 public:
  FinestCurves(const schemas::Store& store, const std::vector<Measure>& measures) : store_(store) {
    const std::vector<CurveId> stored = schemas::list_curve_ids(store);
    for (const Measure& measure : measures) {
      auto& ids = ids_.emplace_back();
      for (const CurveId& id : stored) {
        if (id.signal == measure.signal && id.stream == measure.stream) ids.push_back(id);
      }
      std::erase_if(ids, [newest = ids.back().version](const CurveId& id) { return id.version != newest; });
      std::sort(ids.begin(), ids.end(),
                [](const CurveId& a, const CurveId& b) { return a.grid_tokens < b.grid_tokens; });
    }
  }

  /// An entry for each measure, null where the trace has no curve of it.
  [[nodiscard]] Json json_of(schemas::TraceKey trace) const {
    Json json = Json::array();
    for (const auto& ids : ids_) {
      Json entry;
      for (const CurveId& id : ids) {
        const auto curve = schemas::read_curve(store_, trace, id);
        if (!curve) continue;
        entry = {{"grid", curve->grid_tokens}, {"values", packed_differences(curve->values)}};
        break;
      }
      json.push_back(std::move(entry));
    }
    return json;
  }

 private:
  const schemas::Store& store_;
  std::vector<std::vector<CurveId>> ids_;
};

/// Where the cells of a group are.
class StopFinder {
 public:
  explicit StopFinder(const GroupCells& group) : group_(group) {
    for (std::size_t i = 0; i < group.cells.size(); ++i) {
      const Cell& cell = group.cells[i];
      cells_.emplace(Key{cell.signal, cell.stream, cell.rule}, i);
    }
  }

  /// The token of the stop, -1 where it does not stop; nothing where the trace has no such cell.
  [[nodiscard]] std::optional<std::int64_t> find(const Measure& measure, const std::string& rule,
                                                 std::size_t trace) const {
    auto cell = cells_.find(Key{measure.signal, measure.stream, rule});
    if (cell == cells_.end()) cell = cells_.find(Key{"-", "-", rule});
    if (cell == cells_.end()) return std::nullopt;
    return group_.stops[cell->second][trace].value_or(-1);
  }

 private:
  using Key = std::array<std::string, 3>;
  const GroupCells& group_;
  std::map<Key, std::size_t> cells_;
};

/// The JSON of a trace.
struct Taken {
  std::string row;
  std::string curves;
  std::string text;
};

class Collector {
 public:
  Collector(const schemas::Store& store, const ReportRequest& request, const std::vector<GroupCells>& groups)
      : store_(store),
        groups_(groups),
        measures_(measures_of(groups)),
        rules_(rules_of(request)),
        curves_(store, measures_),
        vocabularies_(store),
        threads_(static_cast<std::size_t>(std::max(1, request.threads))) {
    for (const GroupCells& group : groups) stops_.emplace_back(group);
  }

  /// Takes them in this order as long as they fit.
  void take(const std::vector<TracePlace>& places, std::int64_t most_traces, std::int64_t most_bytes) {
    for (std::size_t next = 0; next < places.size() && !full(most_traces);) {
      const std::size_t room = static_cast<std::size_t>(most_traces) - taken_.size();
      const std::size_t count = std::min({kBatch, places.size() - next, room});
      for (Taken& trace : make_batch({places.data() + next, count})) {
        const TracePlace& place = places[next++];
        const auto bytes = static_cast<std::int64_t>(trace.row.size() + trace.curves.size() +
                                                     trace.text.size() + kMarkupBytes);
        if (bytes_ + bytes > most_bytes) {
          ++too_large_;
          continue;
        }
        bytes_ += bytes;
        taken_.emplace(place, std::move(trace));
      }
    }
  }

  ExplorerData finish() {
    ExplorerData data;
    Json index{{"measures", Json::array()}, {"rules", Json::array()}, {"groups", Json::array()}};
    for (const Measure& measure : measures_)
      index["measures"].push_back({{"signal", measure.signal}, {"stream", measure.stream}});
    for (const schemas::Arguments& rule : rules_) index["rules"].push_back(rule_json(rule));
    for (const GroupCells& group : groups_) {
      const schemas::RunRecord& run = group.group.run;
      index["groups"].push_back({{"run", run.uid},
                                 {"set", safe(group.group.problem_set)},
                                 {"model", safe(run.model)},
                                 {"policy", safe(brief_policy(run.policy))},
                                 {"policyInFull", safe(run.policy)}});
      data.traces += static_cast<std::int64_t>(group.group.traces.size());
    }
    index["total"] = data.traces;
    data.index = index.dump();
    data.index.back() = ',';  // the object goes on
    data.index += "\"traces\":[";
    for (auto& [place, trace] : taken_) {
      data.index += (data.texts.empty() ? "" : ",") + trace.row;
      data.curves.push_back(std::move(trace.curves));
      data.texts.push_back(std::move(trace.text));
    }
    data.index = json_in_html(data.index + "]}");
    return data;
  }

 private:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kMarkupBytes = 150;
  static constexpr int kMostTooLarge = 200;

  [[nodiscard]] bool full(std::int64_t most_traces) const {
    return static_cast<std::int64_t>(taken_.size()) >= most_traces || too_large_ > kMostTooLarge;
  }

  const GradedTrace& trace_at(const TracePlace& place) const {
    return groups_[place.group].group.traces[place.trace];
  }

  /// The store is read by one thread; what is made of each trace is its own.
  std::vector<Taken> make_batch(std::span<const TracePlace> places) {
    std::vector<Taken> batch(places.size());
    std::vector<TraceContent> contents;
    std::vector<const schemas::Vocabulary*> vocabularies;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const GradedTrace& trace = trace_at(places[i]);
      const schemas::Problem problem = schemas::read_problem(store_, trace.info.problem);
      contents.push_back(
          {schemas::read_tokens(store_, trace.info.key), trace.events, problem.text, problem.gold});
      vocabularies.push_back(&vocabularies_.get(trace.info.tokenizer));
      batch[i].row = row_json(places[i], contents.back().tokens.ids).dump();
      batch[i].curves = json_in_html(curves_.json_of(trace.info.key).dump());
    }
    std::vector<std::future<void>> work;
    const std::size_t count = std::min(threads_, places.size());
    for (std::size_t first = 0; first < count; ++first) {
      work.push_back(std::async(std::launch::async, [&, first] {
        for (std::size_t i = first; i < places.size(); i += count)
          batch[i].text = trace_text_json(contents[i], *vocabularies[i]);
      }));
    }
    for (std::future<void>& part : work) part.wait();
    for (std::future<void>& part : work) part.get();
    return batch;
  }

  Json row_json(const TracePlace& place, std::span<const schemas::TokenId> ids) const {
    const GradedTrace& trace = trace_at(place);
    Json row{{"uid", trace.info.uid},
             {"group", place.group},
             {"problem", safe(trace.info.problem_id)},
             {"repeat", trace.info.repeat},
             {"tokens", trace.info.tokens},
             {"finish", schemas::to_string(trace.info.finish)},
             {"gold", !trace.info.gold.empty()},
             {"verdicts", verdicts_json(trace)},
             {"loop", nullptr},
             {"stops", Json::array()}};
    if (const auto loop = find_loop(ids)) row["loop"] = {loop->onset, loop->period};
    for (const Measure& measure : measures_or_none()) {
      Json of_measure = Json::array();
      for (const schemas::Arguments& rule : rules_) {
        const auto stop = stops_[place.group].find(measure, rule.to_brief_string(), place.trace);
        of_measure.push_back(stop ? Json(*stop) : Json());
      }
      row["stops"].push_back(std::move(of_measure));
    }
    return row;
  }

  /// Rules that read no signal have stops, too, where there is no curve at all.
  [[nodiscard]] std::vector<Measure> measures_or_none() const {
    return measures_.empty() ? std::vector<Measure>{{}} : measures_;
  }

  /// Token and verdict from there on, where it changes.
  static Json verdicts_json(const GradedTrace& trace) {
    Json json = Json::array();
    std::string last;
    for (const schemas::AnswerEvent& event : trace.events) {
      if (!json.empty() && event.verdict == last) continue;
      last = event.verdict;
      json.push_back({event.token, event.verdict});
    }
    return json;
  }

  const schemas::Store& store_;
  const std::vector<GroupCells>& groups_;
  std::vector<Measure> measures_;
  std::vector<schemas::Arguments> rules_;
  FinestCurves curves_;
  schemas::Vocabularies vocabularies_;
  std::size_t threads_;
  std::vector<StopFinder> stops_;
  std::map<TracePlace, Taken> taken_;
  std::int64_t bytes_ = 0;
  int too_large_ = 0;
};

}  // namespace

ExplorerData collect_traces(const schemas::Store& store, const ReportRequest& request,
                            const std::vector<GroupCells>& groups, std::int64_t most_bytes) {
  Collector collector(store, request, groups);
  collector.take(sampling_order(groups), request.most_traces, most_bytes);
  return collector.finish();
}

}  // namespace lil::analyze::page
