#include "replay/signal_cost.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace lil::replay {
namespace {

constexpr int kPasses = 3;
constexpr std::int64_t kChecks = 9;

using Clock = std::function<std::int64_t()>;

template <class Action>
double timed_us(const Clock& now_ns, Action&& action) {
  const std::int64_t start = now_ns();
  action();
  return static_cast<double>(now_ns() - start) / 1e3;
}

template <class Action>
double best_us(const Clock& now_ns, Action&& action) {
  double best = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < kPasses; ++pass) best = std::min(best, timed_us(now_ns, action));
  return best;
}

std::string_view prefix(const Stream& stream, std::int64_t tokens) {
  return std::string_view(stream.bytes).substr(0, static_cast<std::size_t>(stream.offset_after(tokens)));
}

void feed_tokens(Signal& signal, const Stream& stream, std::int64_t from, std::int64_t to) {
  for (std::int64_t token = from; token < to; ++token) {
    signal.feed(prefix(stream, token + 1).substr(static_cast<std::size_t>(stream.offset_after(token))));
  }
}

double feed_rate(Signal& signal, const Stream& stream, const Clock& now_ns) {
  const double us = best_us(now_ns, [&] {
    signal.reset();
    signal.feed(prefix(stream, 0));
    feed_tokens(signal, stream, 0, stream.tokens());
    static_cast<void>(signal.value());  // some put their work off until they are asked
  });
  return static_cast<double>(stream.bytes.size()) / std::max(us, 1e-3);
}

/// Of the checks that end at `tokens`, the median.
double check_us(Signal& signal, const Stream& stream, std::int64_t tokens, std::int64_t every,
                const Clock& now_ns) {
  std::vector<double> times;
  const std::int64_t checks = std::min(kChecks, tokens / every);
  std::int64_t token = tokens - checks * every;
  signal.reset();
  signal.feed(prefix(stream, token));
  do {
    const std::int64_t next = std::min(tokens, token + every);
    feed_tokens(signal, stream, token, next);
    token = next;
    times.push_back(timed_us(now_ns, [&] { static_cast<void>(signal.value()); }));
  } while (token < tokens);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

SignalCost measure_cost(Signal& signal, const Stream& stream, const CostRequest& request,
                        const Clock& now_ns) {
  SignalCost cost;
  cost.feed_mb_per_s = feed_rate(signal, stream, now_ns);
  for (const std::int64_t tokens : request.tokens) {
    CheckCost& check = cost.checks.emplace_back(CheckCost{tokens, {}, {}});
    if (tokens > stream.tokens()) continue;
    check.check_us = check_us(signal, stream, tokens, request.every_tokens, now_ns);
    check.afresh_us = best_us(now_ns, [&] {
      signal.reset();
      signal.feed(prefix(stream, tokens));
      static_cast<void>(signal.value());
    });
  }
  return cost;
}

SignalCost measure_copying(const Stream& stream, const CostRequest& request, const Clock& now_ns) {
  SignalCost cost;
  std::string copy(stream.bytes.size(), '\0');
  const auto copy_us = [&](std::string_view bytes) { return best_us(now_ns, [&] { copy.assign(bytes); }); };
  cost.feed_mb_per_s = static_cast<double>(stream.bytes.size()) / std::max(copy_us(stream.bytes), 1e-3);
  for (const std::int64_t tokens : request.tokens) {
    CheckCost& check = cost.checks.emplace_back(CheckCost{tokens, {}, {}});
    if (tokens <= stream.tokens()) check.check_us = check.afresh_us = copy_us(prefix(stream, tokens));
  }
  return cost;
}

}  // namespace lil::replay
