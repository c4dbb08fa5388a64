#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "replay/stop_rule.h"
#include "schemas/error.h"
#include "schemas/ids.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

struct RepetitionParameters {
  std::int64_t max_pattern_size = 0;
  std::int64_t min_pattern_size = 0;
  std::int64_t min_count = 0;
};

schemas::TokenId id_from(std::string_view little_endian) {
  assert(little_endian.size() == sizeof(schemas::TokenId));
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < sizeof bits; ++i) {
    bits |= std::uint32_t{static_cast<std::uint8_t>(little_endian[i])} << (8 * i);
  }
  return static_cast<schemas::TokenId>(bits);
}

/// The last p * min_count tokens are one pattern of p tokens over and over just if each of the last
/// p * (min_count - 1) equals the one p before it. So it is enough to count, for every p, how many of the
/// latest tokens in a row do: a token costs max_pattern_size steps, whatever the text.
class RepetitionWatcher : public StopWatcher {
 public:
  explicit RepetitionWatcher(const RepetitionParameters& parameters) : parameters_(parameters) {}

  void feed(std::string_view token_bytes) override {
    const schemas::TokenId id = id_from(token_bytes);
    const auto most = static_cast<std::size_t>(parameters_.max_pattern_size);
    equal_in_a_row_.resize(std::min(most, ids_.size()), 0);
    for (std::size_t size = 1; size <= equal_in_a_row_.size(); ++size) {
      std::int64_t& count = equal_in_a_row_[size - 1];
      count = ids_[ids_.size() - size] == id ? count + 1 : 0;
    }
    ids_.push_back(id);
  }

  bool observe(std::int64_t /*token*/, std::int64_t /*value*/) override {
    const auto sizes = static_cast<std::int64_t>(equal_in_a_row_.size());
    for (std::int64_t size = std::max<std::int64_t>(parameters_.min_pattern_size, 1); size <= sizes; ++size) {
      const std::int64_t needed = size * (parameters_.min_count - 1);
      if (equal_in_a_row_[static_cast<std::size_t>(size - 1)] >= needed) return true;
    }
    return false;
  }

 private:
  RepetitionParameters parameters_;
  std::vector<schemas::TokenId> ids_;
  std::vector<std::int64_t> equal_in_a_row_;  // of pattern size 1, 2, …
};

/// `repetition(max_pattern_size=…,min_pattern_size=0,min_count=…)`: the `repetition_detection` of vLLM (0.17
/// and later), with its parameters by name and its decisions to the token. After every generated token: stops
/// where for some p, max(min_pattern_size, 1) <= p <= max_pattern_size, the last p * min_count token ids are
/// the same p ids min_count times over. Only generated tokens count, not the prompt; an earlier repetition
/// that the text has left does not; a run of p * min_count equal tokens is a pattern of p as well.
/// max_pattern_size 0 turns it off, and min_pattern_size may not be more than it. A generation that ends with
/// the very token, by itself or at its cap, ends so, as there. vLLM's `min_tokens`, before which it looks at
/// nothing, is 0 here.
class RepetitionRule : public StopRule {
 public:
  /// Throws Error(kUsage) where the smallest pattern is larger than the largest.
  explicit RepetitionRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()),
        parameters_{.max_pattern_size = arguments.integer("max_pattern_size"),
                    .min_pattern_size = arguments.integer("min_pattern_size"),
                    .min_count = arguments.integer("min_count")} {
    if (parameters_.min_pattern_size <= parameters_.max_pattern_size) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("rule {}: min_pattern_size={} is more than max_pattern_size={}", name(),
                            parameters_.min_pattern_size, parameters_.max_pattern_size));
  }

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = 1, .first_token = 1, .reads_stream = StreamKind::kIds32};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<RepetitionWatcher>(parameters_);
  }

 private:
  RepetitionParameters parameters_;
};

}  // namespace

std::unique_ptr<StopRule> make_repetition(const schemas::Arguments& arguments) {
  return std::make_unique<RepetitionRule>(arguments);
}

}  // namespace lil::replay
