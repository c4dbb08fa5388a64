#include "analyze/information.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "replay/stream.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "schemas/vocabulary.h"

namespace lil::analyze {
namespace {

Quartiles quartiles_of(std::vector<double> values) {
  Quartiles found{};
  if (values.empty()) return found;
  std::sort(values.begin(), values.end());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double place = static_cast<double>(values.size() - 1) * static_cast<double>(i + 1) / 4;
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    const double part = place - static_cast<double>(below);
    found[i] = values[below] * (1 - part) + values[above] * part;
  }
  return found;
}

/// The curves of all traces, every `step` tokens.
std::vector<GrowthPoint> growth_of(const std::vector<schemas::Curve>& curves, std::int64_t step) {
  std::vector<GrowthPoint> points;
  for (std::int64_t token = step;; token += step) {
    std::vector<double> values;
    std::vector<double> growths;
    for (const schemas::Curve& curve : curves) {
      const auto at = static_cast<std::size_t>(token / curve.grid_tokens);
      if (at >= curve.values.size()) continue;
      const auto before = static_cast<std::size_t>((token - step) / curve.grid_tokens);
      values.push_back(static_cast<double>(curve.values[at]));
      growths.push_back(static_cast<double>(curve.values[at] - curve.values[before]));
    }
    if (values.empty()) return points;
    const auto traces = static_cast<std::int64_t>(values.size());
    points.push_back({token, traces, quartiles_of(std::move(values)), quartiles_of(std::move(growths))});
  }
}

/// One run and problem set at work.
class Measurer {
 public:
  Measurer(const schemas::Store& store, const TraceGroup& group, const InformationRequest& request)
      : store_(store), group_(group), request_(request), chooser_(store, group), vocabularies_(store) {}

  MeasuredGroup measure(const Measure& measure) {
    const std::string step = fmt::format("a step of {} tokens", request_.step_tokens);
    const schemas::CurveId id = chooser_.choose(step, request_.step_tokens, measure);
    MeasuredGroup found;
    found.group = &group_;
    found.measure = measure;
    found.version = id.version;
    std::vector<schemas::Curve> curves;
    for (const GradedTrace& trace : group_.traces) {
      auto curve = schemas::read_curve(store_, trace.info.key, id);
      assert(curve);
      found.traces.push_back(information_of(trace, *curve, replay::stream_from(measure.stream)));
      curves.push_back(std::move(*curve));
    }
    found.growth = growth_of(curves, request_.step_tokens);
    fill_rho(found);
    return found;
  }

 private:
  TraceInformation information_of(const GradedTrace& trace, const schemas::Curve& curve,
                                  replay::StreamKind kind) {
    const schemas::TraceTokens tokens = schemas::read_tokens(store_, trace.info.key);
    const replay::Stream stream = replay::build_stream(kind, tokens, vocabularies_.get(trace.info.tokenizer));
    TraceInformation found;
    found.token = curve.grid_tokens * (static_cast<std::int64_t>(curve.values.size()) - 1);
    if (curve.values.empty() || found.token > stream.tokens()) {
      throw Error(ErrorCode::kCorrupt,
                  fmt::format("{}: trace {} has {} tokens and a curve of {}", store_.path().string(),
                              trace.info.uid, stream.tokens(), found.token));
    }
    found.bytes = stream.offset_after(found.token);
    found.value = curve.values.back();
    if (found.bytes > 0) found.rho = static_cast<double>(found.value) / static_cast<double>(found.bytes);
    found.loop = find_loop(tokens.ids, request_.loop);
    return found;
  }

  void fill_rho(MeasuredGroup& found) const {
    std::vector<RatioPart> parts(group_.problems);
    std::vector<double> rhos;
    double values = 0;
    double bytes = 0;
    for (std::size_t i = 0; i < found.traces.size(); ++i) {
      const TraceInformation& trace = found.traces[i];
      if (trace.bytes == 0) continue;
      RatioPart& part = parts[group_.traces[i].problem];
      part.numerator += static_cast<double>(trace.value);
      part.denominator += static_cast<double>(trace.bytes);
      values += static_cast<double>(trace.value);
      bytes += static_cast<double>(trace.bytes);
      rhos.push_back(trace.rho);
    }
    found.rho_quartiles = quartiles_of(std::move(rhos));
    found.rho = {bytes == 0 ? 0 : values / bytes, bootstrap_ratio(parts, request_.bootstrap)};
  }

  const schemas::Store& store_;
  const TraceGroup& group_;
  const InformationRequest& request_;
  CurveChooser chooser_;
  schemas::Vocabularies vocabularies_;
};

}  // namespace

double ziv_lempel_epsilon(std::int64_t longest_match, double alphabet) {
  assert(longest_match >= 2 && alphabet > 1);
  const auto length = static_cast<double>(longest_match);
  const double logs = (3 * std::log(length - 1) + std::log(length / 2)) / std::log(alphabet);
  return (3 + logs) / length;
}

void measure_information(const schemas::Store& store, const InformationRequest& request,
                         const std::function<void(const MeasuredGroup&)>& take) {
  if (request.step_tokens < 1) {
    throw Error(ErrorCode::kUsage, fmt::format("a step of {} tokens is less than 1", request.step_tokens));
  }
  for (const TraceGroup& group : load_groups(store, request)) {
    Measurer measurer(store, group, request);
    for (const Measure& measure : choose_measures(store, request, group)) take(measurer.measure(measure));
  }
}

}  // namespace lil::analyze
