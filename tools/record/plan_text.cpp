#include "tools/record/plan_text.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "schemas/error.h"

namespace lil::tools {
namespace {

constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
constexpr double kStep = 1024;

/// Index of the unit that `suffix` (`g`, `GiB`, `gb`) names; kUnits.size() for none.
std::size_t unit_of(std::string_view suffix) {
  if (suffix.empty()) return 0;
  const std::string_view rest = suffix.substr(1);
  if (!rest.empty() && rest != "iB" && rest != "ib" && rest != "B" && rest != "b") return kUnits.size();
  const int letter = std::toupper(static_cast<unsigned char>(suffix.front()));
  for (std::size_t unit = 1; unit < kUnits.size(); ++unit) {
    if (kUnits.at(unit).front() == letter) return unit;
  }
  return kUnits.size();
}

}  // namespace

std::string size_text(std::int64_t bytes) {
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= kStep && unit + 1 < kUnits.size(); ++unit) value /= kStep;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string plan_text(const record::BatchPlan& plan) {
  const auto sequences = [](std::int64_t count) {
    return fmt::format("{} sequence{}", count, count == 1 ? "" : "s");
  };
  std::string text = fmt::format("KV pool {} for {} of up to {} tokens", size_text(plan.kv_bytes),
                                 sequences(plan.batch), grouped(plan.max_tokens));
  if (plan.resident < plan.batch)
    text += fmt::format(", of which {} are sure to fit at a time", plan.resident);
  if (plan.probe_lanes > 0) text += fmt::format(", and {} beside them for probes", plan.probe_lanes);
  return text;
}

std::int64_t parse_size(const std::string& what, const std::string& text) {
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  const std::size_t unit =
      unit_of(std::string_view(text).substr(static_cast<std::size_t>(end - text.data())));
  const double bytes = value * std::pow(kStep, static_cast<double>(unit));
  if (error != std::errc{} || unit == kUnits.size() || !(bytes >= 1) || bytes > 1e18) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: '{}' is no size such as 800m, 1.5g or 4GiB", what, text));
  }
  return static_cast<std::int64_t>(bytes);
}

}  // namespace lil::tools
