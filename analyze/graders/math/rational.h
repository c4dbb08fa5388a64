#pragma once

#include <boost/multiprecision/cpp_int.hpp>

namespace lil::analyze::math {

using Integer = boost::multiprecision::cpp_int;
using Rational = boost::multiprecision::cpp_rational;

/// Longest numerator or denominator that exact arithmetic makes, in bits: a little more than 10^4096 has.
inline constexpr std::size_t kMaxExactBits = 16384;

[[nodiscard]] inline std::size_t bit_length(const Integer& value) {
  return value == 0 ? 1 : msb(abs(value)) + 1;
}
[[nodiscard]] inline std::size_t bit_length(const Rational& value) {
  return std::max(bit_length(Integer(numerator(value))), bit_length(Integer(denominator(value))));
}
[[nodiscard]] inline bool is_whole(const Rational& value) {
  return denominator(value) == 1;
}

}  // namespace lil::analyze::math
