#include "replay/guardian.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "schemas/error.h"

namespace lil::replay {
namespace {

std::unique_ptr<StopWatcher> watch_live(const StopRule& rule) {
  auto watcher = rule.watch();
  if (watcher == nullptr) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("rule {} cannot watch a live generation: it reads how the trace ends", rule.name()));
  }
  return watcher;
}

void check_stream(const StopRule& rule, StreamKind stream) {
  const auto needed = rule.schedule().reads_stream;
  if (!needed || *needed == stream) return;
  throw Error(ErrorCode::kUsage, fmt::format("rule {} reads the stream {}, not {}", rule.name(),
                                             to_string(*needed), to_string(stream)));
}

std::unique_ptr<Signal> make_live_signal(std::string_view spec) {
  auto signal = make_signal(spec);
  if (signal->input() != SignalInput::kBytes) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("signal {} cannot watch a live generation: it reads what is recorded of each token",
                    signal->name()));
  }
  return signal;
}

/// What a live rule takes beside its own parameters.
std::vector<schemas::Parameter> live_parameters() {
  using Type = schemas::Parameter::Type;
  std::vector<std::string> streams;
  for (const StreamKind kind : stream_kinds()) streams.emplace_back(to_string(kind));
  return {{"signal", Type::kText, "zlib(level=6)", 0, 0, {}, "what is measured"},
          {"stream", Type::kChoice, "text", 0, 0, std::move(streams), "what it is measured of"}};
}

bool is_given(const schemas::NamedSpec& spec, std::string_view key) {
  return std::any_of(spec.values.begin(), spec.values.end(),
                     [&](const auto& value) { return value.first == key; });
}

}  // namespace

std::string GuardianSpec::to_string() const {
  const bool bare = rule.back() != ')';
  return fmt::format("{}{}signal={},stream={})", rule.substr(0, rule.size() - (bare ? 0 : 1)),
                     bare ? "(" : ",", signal, replay::to_string(stream));
}

GuardianSpec parse_guardian_spec(std::string_view text) {
  const schemas::NamedSpec given = schemas::parse_named_spec(text);
  const StopRuleRow& row = schemas::find_row("stop rule", stop_rule_rows(), given.name);
  std::vector<schemas::Parameter> parameters = row.parameters;
  for (schemas::Parameter& parameter : live_parameters()) parameters.push_back(std::move(parameter));
  const schemas::Arguments arguments = schemas::resolve_arguments("stop rule", given, parameters);

  schemas::NamedSpec of_rule{given.name, {}};
  for (const auto& parameter : row.parameters) {
    of_rule.values.emplace_back(parameter.name, arguments.text(parameter.name));
  }
  const auto rule = make_stop_rule(of_rule);
  static_cast<void>(watch_live(*rule));
  StreamKind stream = stream_from(arguments.text("stream"));
  if (!is_given(given, "stream")) stream = rule->schedule().reads_stream.value_or(stream);
  check_stream(*rule, stream);
  return {rule->name(), make_live_signal(arguments.text("signal"))->name(), stream};
}

Guardian::Guardian(const GuardianSpec& spec)
    : signal_(make_live_signal(spec.signal)), rule_(make_stop_rule(spec.rule)), schedule_(rule_->schedule()) {
  check_stream(*rule_, spec.stream);
  start("");
}

void Guardian::start(std::string_view prompt) {
  signal_->reset();
  if (schedule_.reads_signal) signal_->feed(prompt);
  watcher_ = watch_live(*rule_);
  tokens_ = 0;
  static_cast<void>(look());
}

Guardian::Decision Guardian::push(std::string_view token_bytes) {
  if (schedule_.reads_signal) signal_->feed(token_bytes);
  if (schedule_.reads_stream) watcher_->feed(token_bytes);
  ++tokens_;
  return look();
}

Guardian::Decision Guardian::look() {
  if (!schedule_.due(tokens_)) return Decision::kGoOn;
  const std::int64_t value = schedule_.reads_signal ? signal_->value() : 0;
  return watcher_->observe(tokens_, value) ? Decision::kStop : Decision::kGoOn;
}

}  // namespace lil::replay
