#include "replay/stop_rule.h"

#include <fmt/format.h>

#include <cassert>
#include <numeric>

#include "schemas/error.h"

namespace lil::replay {
namespace {

void check_grid(const StopRule& rule, const LookSchedule& looks, std::int64_t grid_tokens) {
  if (looks.every_tokens % grid_tokens == 0 && looks.first_token % grid_tokens == 0) return;
  const std::string from = looks.first_token == 0 ? "" : fmt::format(" from token {}", looks.first_token);
  throw Error(
      ErrorCode::kUsage,
      fmt::format("rule {} looks every f={} tokens{}, which a curve on a grid of every {} tokens does "
                  "not hold; make one that does with `lil replay --every {}`",
                  rule.name(), looks.every_tokens, from, grid_tokens,
                  std::gcd(looks.every_tokens, looks.first_token)));
}

void check_length(const schemas::Curve& curve, std::int64_t tokens) {
  const std::int64_t expected = tokens / curve.grid_tokens + 1;
  const auto found = static_cast<std::int64_t>(curve.values.size());
  if (found == expected) return;
  throw Error(
      ErrorCode::kCorrupt,
      fmt::format("a curve on a grid of every {} tokens has {} values where a trace of {} tokens has {}",
                  curve.grid_tokens, found, tokens, expected));
}

void check_length(const Stream& stream, std::int64_t tokens) {
  if (stream.tokens() == tokens) return;
  throw Error(ErrorCode::kCorrupt,
              fmt::format("a stream of {} tokens where the trace has {}", stream.tokens(), tokens));
}

void feed_tokens(StopWatcher& watcher, const Stream& stream, std::int64_t from, std::int64_t to) {
  const std::string_view bytes = stream.bytes;
  for (std::int64_t token = from; token < to; ++token) {
    const auto start = static_cast<std::size_t>(stream.offset_after(token));
    const auto end = static_cast<std::size_t>(stream.offset_after(token + 1));
    watcher.feed(bytes.substr(start, end - start));
  }
}

}  // namespace

std::optional<std::int64_t> StopRule::stop(const RuleInput& input) const {
  const LookSchedule looks = schedule();
  if (looks.every_tokens == 0) return std::nullopt;
  if (looks.reads_signal) {
    assert(input.curve != nullptr && input.curve->grid_tokens > 0);
    check_grid(*this, looks, input.curve->grid_tokens);
    check_length(*input.curve, input.tokens);
  }
  if (looks.reads_stream) {
    assert(input.stream != nullptr);
    check_length(*input.stream, input.tokens);
  }
  const auto watcher = watch();
  std::int64_t fed = 0;
  for (std::int64_t token = looks.first_token; token < input.tokens; token += looks.every_tokens) {
    if (looks.reads_stream) feed_tokens(*watcher, *input.stream, fed, token);
    fed = token;
    const std::int64_t value =
        looks.reads_signal ? input.curve->values[static_cast<std::size_t>(token / input.curve->grid_tokens)]
                           : 0;
    if (watcher->observe(token, value)) return token;
  }
  return std::nullopt;
}

}  // namespace lil::replay
