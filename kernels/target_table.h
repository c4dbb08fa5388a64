#pragma once

#include <hwy/highway.h>

#include <cstdint>
#include <vector>

#include "kernels/linear_cpu.h"

namespace lil::kernels::cpu {

/// A variant for each target in `targets` that the processor has, the best first. `packs` and `runs` are what
/// HWY_EXPORT made. Static, since their order is that of the targets for which a file is compiled.
template <class Pack, class Run>
static std::vector<LinearVariant> variants_of(std::int64_t targets, const Pack* packs, const Run* runs) {
  constexpr std::int64_t kFused = HWY_AVX3 | HWY_AVX2 | HWY_NEON | HWY_PPC8;
  std::vector<LinearVariant> variants;
  const std::int64_t supported = hwy::SupportedTargets() & targets;
  for (std::int64_t target = 1; target > 0; target <<= 1) {
    if ((supported & target) == 0) continue;
    hwy::ChosenTarget chosen;
    chosen.Update(target);
    variants.push_back(
        {hwy::TargetName(target), (target & kFused) != 0, packs[chosen.GetIndex()], runs[chosen.GetIndex()]});
  }
  return variants;
}

}  // namespace lil::kernels::cpu
