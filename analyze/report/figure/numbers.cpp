#include "analyze/report/figure/numbers.h"

#include <fmt/format.h>

namespace lil::analyze::figure {
namespace {

constexpr const char* kMinus = "\xE2\x88\x92";

/// Without a point or a sign.
std::string group_digits(const std::string& digits) {
  constexpr std::size_t kGroup = 3;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % kGroup == 0) out += ',';
    out += digits[i];
  }
  return out;
}

bool is_zero(const std::string& number) {
  return number.find_first_of("123456789") == std::string::npos;
}

}  // namespace

std::string coordinate(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string grouped(std::int64_t value) {
  return spoken(static_cast<double>(value), 0);
}

std::string spoken(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", value, decimals);
  const bool negative = text.front() == '-';
  if (negative) text.erase(0, 1);
  const std::size_t point = text.find('.');
  const std::string whole = text.substr(0, point);
  const std::string rest = point == std::string::npos ? "" : text.substr(point);
  return (negative && !is_zero(text) ? kMinus : "") + group_digits(whole) + rest;
}

std::string spoken_percent(double share, int decimals) {
  constexpr double kPercent = 100;
  return spoken(kPercent * share, decimals);
}

std::string spoken_level(double share) {
  constexpr double kPercent = 100;
  return fmt::format("{:g}", kPercent * share);
}

std::string spoken_change(double value, int decimals) {
  const std::string text = spoken(value, decimals);
  return value > 0 && !is_zero(text) ? "+" + text : text;
}

std::string share_cell(double value) {
  return fmt::format("{:.6f}", value);
}

}  // namespace lil::analyze::figure
