#include "analyze/graders/math/words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lil::analyze::math {
namespace {

constexpr std::array<std::string_view, 27> kFunctions = {
    "sin",  "cos",  "tan",  "cot",  "sec",  "csc",  "arcsin", "arccos", "arctan",
    "sinh", "cosh", "tanh", "asin", "acos", "atan", "log",    "ln",     "lg",
    "exp",  "sqrt", "gcd",  "lcm",  "max",  "min",  "abs",    "floor",  "ceil"};

constexpr std::array<std::string_view, 67> kUnits = {
    "apples",  "bits",   "bytes",   "cent",    "cents",   "cm",       "coins",  "cups",    "day",
    "days",    "dollar", "dollars", "feet",    "foot",    "ft",       "gallon", "gallons", "games",
    "gram",    "grams",  "hour",    "hours",   "hr",      "hrs",      "inch",   "inches",  "integers",
    "kg",      "km",     "liter",   "liters",  "meter",   "meters",   "metre",  "metres",  "mile",
    "miles",   "mins",   "minute",  "minutes", "ml",      "mm",       "month",  "months",  "mph",
    "numbers", "ounces", "oz",      "people",  "pints",   "points",   "pounds", "quarts",  "second",
    "seconds", "sq",     "square",  "squared", "squares", "students", "unit",   "units",   "ways",
    "week",    "weeks",  "year",    "years"};

constexpr std::array<std::pair<std::string_view, long long>, 6> kScales = {{{"dozen", 12},
                                                                            {"hundred", 100},
                                                                            {"thousand", 1'000},
                                                                            {"million", 1'000'000},
                                                                            {"billion", 1'000'000'000},
                                                                            {"trillion", 1'000'000'000'000}}};

}  // namespace

bool is_function(std::string_view word) {
  return std::find(kFunctions.begin(), kFunctions.end(), word) != kFunctions.end();
}

bool is_unit(std::string_view word) {
  return std::find(kUnits.begin(), kUnits.end(), word) != kUnits.end();
}

long long scale_of(std::string_view word) {
  const auto* const row =
      std::find_if(kScales.begin(), kScales.end(), [&](const auto& scale) { return scale.first == word; });
  return row == kScales.end() ? 0 : row->second;
}

}  // namespace lil::analyze::math
