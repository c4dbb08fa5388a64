#include "analyze/calibration/risks.h"

#include <fmt/format.h>

#include <vector>

#include "schemas/error.h"

namespace lil::analyze {
namespace {

double harm_loss(const RightSpans& right, std::int64_t tokens, std::int64_t kept) {
  return right.at(tokens) && !right.at(kept) ? 1 : 0;
}

double drop_loss(const RightSpans& right, std::int64_t tokens, std::int64_t kept) {
  return (right.at(tokens) ? 1 : 0) - (right.at(kept) ? 1 : 0);
}

double suffix_mean_loss(const RightSpans& right, std::int64_t tokens, std::int64_t kept) {
  if (kept >= tokens) return 0;
  return static_cast<double>(right.count(kept, tokens)) / static_cast<double>(tokens - kept + 1);
}

double wasted_loss(const RightSpans& right, std::int64_t tokens, std::int64_t kept) {
  if (tokens == 0) return 0;
  return static_cast<double>(kept - right.count(1, kept)) / static_cast<double>(tokens);
}

}  // namespace

std::span<const Risk> risks() {
  static const std::vector<Risk> all = {
      {.name = "harm", .description = "right in full, not at the stop", .is_binary = true, .loss = harm_loss},
      {.name = "drop",
       .description = "right in full less right at the stop",
       .is_signed = true,
       .is_binary = true,
       .loss = drop_loss},
      {.name = "suffix-mean",
       .description = "share of the tokens cut off at which the answer is right",
       .loss = suffix_mean_loss},
      {.name = "wasted",
       .description = "share of the tokens generated up to the stop without a right answer",
       .none_without_stop = false,
       .loss = wasted_loss},
  };
  return all;
}

const Risk& find_risk(const std::string& name) {
  std::string known;
  for (const Risk& risk : risks()) {
    if (risk.name == name) return risk;
    known += (known.empty() ? "" : ", ") + risk.name;
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown risk '{}'; known are: {}", name, known));
}

double unit_loss(const Risk& risk, double loss) {
  return risk.is_signed ? (loss + 1) / 2 : loss;
}

double unit_alpha(const Risk& risk, double alpha) {
  return unit_loss(risk, alpha);
}

}  // namespace lil::analyze
