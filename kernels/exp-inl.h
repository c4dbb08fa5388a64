// The exponential of the CPU's softmax and silu, for one of Highway's targets: included once by each target
// of a .cpp, as Highway has it.
#if defined(LIL_KERNELS_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_EXP_INL_H
#undef LIL_KERNELS_EXP_INL_H
#else
#define LIL_KERNELS_EXP_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {

/// Below it exp_of is 0.
constexpr float kLeastExponent = -86.0F;

/// e^x for x <= 0 within 2 units in the last place; 0 below kLeastExponent. NaN stays NaN.
HWY_INLINE lanes::FloatVector exp_of(lanes::FloatVector x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using lanes::kFloats;
  const auto least = hn::Set(kFloats, kLeastExponent);
  const auto bounded = hn::Max(least, x);  // NaN where x is: the second operand, if one is NaN
  // x = whole ln 2 + rest ln 2. The multiple of the upper part of ln 2 is exact, fused or not.
  const auto log2_e = hn::Set(kFloats, 1.442695041F);
  const auto whole = hn::Round(hn::Mul(bounded, log2_e));
  const auto above = hn::NegMulAdd(whole, hn::Set(kFloats, 0.693359375F), bounded);
  const auto rest = hn::Mul(hn::MulAdd(whole, hn::Set(kFloats, 2.12194440e-4F), above), log2_e);
  // 2^rest for rest in [-1/2, 1/2]: interpolated at the Chebyshev nodes, relative error 2^-28.
  auto power = hn::Set(kFloats, 0.000154614449F);
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 0.0013400428F));
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 0.00961805694F));
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 0.0555032715F));
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 0.240226507F));
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 0.693147182F));
  power = hn::MulAdd(power, rest, hn::Set(kFloats, 1.0F));
  const hn::RebindToSigned<lanes::FloatTag> integers;
  const auto exponent = hn::Add(hn::ConvertTo(integers, whole), hn::Set(integers, 127));
  const auto scaled = hn::Mul(power, hn::BitCast(kFloats, hn::ShiftLeft<23>(exponent)));
  return hn::IfThenZeroElse(hn::Lt(x, least), scaled);
}

}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
