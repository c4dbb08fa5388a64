#pragma once

#include <hwy/targets.h>

#include <cstdint>

// For tests of the processor's kernels on each vector target that they are compiled for:
//   for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) { const OnlyTarget only(target); …
//   }
namespace lil::tests {

/// Makes kernels run on one of Highway's targets, until the end of the scope.
class OnlyTarget {
 public:
  explicit OnlyTarget(std::int64_t target) { choose(target); }
  ~OnlyTarget() { choose(0); }
  OnlyTarget(const OnlyTarget&) = delete;
  OnlyTarget& operator=(const OnlyTarget&) = delete;

 private:
  static void choose(std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

/// Without fused multiply-add a target cannot have the bits of those that have it.
inline bool is_fused(std::int64_t target) {
  return (target & (HWY_AVX2 | HWY_AVX3 | HWY_NEON)) != 0;
}

}  // namespace lil::tests
