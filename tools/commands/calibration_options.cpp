#include "tools/commands/calibration_options.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "analyze/calibration/risks.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::tools {
namespace {

double real_from(const CommandLine& line, const std::string& option) {
  const std::string text = line.text(option);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  throw Error(ErrorCode::kUsage, fmt::format("--{}: '{}' is not a number", option, text));
}

double level_from(const CommandLine& line, const std::string& option) {
  const double level = real_from(line, option);
  if (level > 0 && level < 1) return level;
  throw Error(ErrorCode::kUsage, fmt::format("--{}: {} is not between 0 and 1", option, line.text(option)));
}

/// `0.2,0.4,0.4`
std::array<double, 3> shares_from(const std::string& text) {
  std::array<double, 3> shares{};
  const char* at = text.data();
  const char* const last = at + text.size();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto [end, error] = std::from_chars(at, last, shares[i]);
    const bool ends_well = i + 1 < shares.size() ? end != last && *end == ',' : end == last;
    if (error != std::errc{} || !ends_well) {
      throw Error(ErrorCode::kUsage, fmt::format("--split: '{}' is not three shares, as 0.2,0.4,0.4", text));
    }
    at = end + 1;
  }
  return shares;
}

/// A guardian without t for each f and patience.
std::vector<std::string> rules_from(const CommandLine& line) {
  std::vector<std::string> rules;
  for (const std::int64_t f : schemas::parse_count_list("--f", line.text("f"))) {
    for (const std::int64_t patience : schemas::parse_count_list("--patience", line.text("patience"))) {
      rules.push_back(fmt::format("guardian(f={},patience={})", f, patience));
    }
  }
  return rules;
}

std::size_t size_from(const CommandLine& line, const std::string& option, std::int64_t least) {
  const std::int64_t count = line.count(option);
  if (count < least)
    throw Error(ErrorCode::kUsage, fmt::format("--{}: {} is less than {}", option, count, least));
  return static_cast<std::size_t>(count);
}

std::string risk_names() {
  std::string names;
  for (const analyze::Risk& risk : analyze::risks()) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", risk.name, risk.description);
  }
  return names;
}

}  // namespace

void add_calibration_options(CommandLine& line) {
  line.option("f", "TOKENS", "tokens between checks to choose from, as 50..500+50", "50..500+50");
  line.option("patience", "N", "low checks in a row that make a stop", "1");
  line.option("risk", "NAME", "what to bound: " + risk_names(), "harm");
  line.option("alpha", "SHARE", "the bound", "0.02");
  line.option("delta", "SHARE", "how likely it may be that a certificate is wrong", "0.05");
  line.option("split", "SHARES", "shares of the problems to tune, calibrate and test on", "0.2,0.4,0.4");
  line.option("split-seed", "N", "seed of that split", "0");
  line.option("method", "NAME", "chain, bonferroni or holm", "chain");
  line.option("chains", "N", "values of f and patience taken on, at most", "2");
  line.option("thresholds", "N", "thresholds of each that are tested, at most; 0: all (bonferroni, holm: 5)",
              "0");
  line.option("pvalue", "NAME", "auto, binomial, hb (Hoeffding-Bentkus) or wsr (betting)", "auto");
}

void read_calibration_options(const CommandLine& line, analyze::CalibrationRequest& request) {
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.rules = rules_from(line);
  request.risk = line.text("risk");
  request.alpha = level_from(line, "alpha");
  request.delta = level_from(line, "delta");
  request.split = {shares_from(line.text("split")), static_cast<std::uint64_t>(line.count("split-seed"))};
  request.procedure = analyze::procedure_from(line.text("method"));
  if (line.text("pvalue") != "auto") request.p_value = analyze::p_value_from(line.text("pvalue"));
  request.most_chains = size_from(line, "chains", 1);
  request.most_thresholds = size_from(line, "thresholds", 0);
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
}

}  // namespace lil::tools
