#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/linear.h"
#include "kernels/status.h"

// The order in which linear sums on a CPU, whatever the number of rows, the threads and the vectors.
//
// fp32 and fp16: 16 lanes. Input k belongs to lane k % 16; a lane adds its products in ascending order, each
// with one rounding (fused). Then lane l takes lane l + 8, l + 4, l + 2 and l + 1 in turn.
//
// bf16: blocks of 32 inputs. In a block the products of the even inputs are added in ascending order, fused,
// and so are those of the odd inputs; the two sums are added to each other, and the result is added to the
// sum of the blocks before. So do AMX's tiles (TDPBF16PS in Intel's manual), and vectors that hold one output
// in each lane can do the same. Numbers below 1.2e-38 (subnormal) in weights, x and sums may count as 0: AMX
// knows none.
//
// Inputs that fill up the last lanes or block count as +0. The bias comes last. On processors without fused
// multiply-add (x86 before 2013) fp32 is rounded twice, and so has other bits; bf16 and fp16 have not, since
// their products are exact.
namespace lil::kernels::cpu {

constexpr std::int64_t kLinearLanes = 16;
constexpr std::int64_t kLinearBlock = 32;

/// Blocks that some inputs take.
constexpr std::int64_t blocks_of(std::int64_t inputs) {
  return (inputs + kLinearBlock - 1) / kLinearBlock;
}

/// What the threads of one call share.
struct LinearJob {
  const LinearArgs* args = nullptr;
  const float* packed_x = nullptr;  ///< what `pack` wrote, which need not be floats
};

/// One way of computing linear.
struct LinearVariant {
  const char* name = "";  ///< "AMX", or the name of Highway's target
  bool fused = false;     ///< multiplies and adds with one rounding

  /// Copies x into the order in which `run` reads it, with zeros to fill up the last block.
  void (*pack)(const LinearArgs& args, float* packed_x) = nullptr;

  /// Computes the outputs [begin, end); begin is a multiple of 16.
  void (*run)(const LinearJob& job, std::int64_t begin, std::int64_t end) = nullptr;
};

/// The ways that this processor and system have for weights of a type, the fastest first: `linear` takes
/// that.
[[nodiscard]] const std::vector<LinearVariant>& linear_variants(DType dtype);

/// linear, and linear_together, in a way of one's choice.
Status linear_with(const LinearVariant& variant, const LinearArgs& args, Stream stream);
Status linear_with(const LinearVariant& variant, std::span<const LinearArgs> all, Stream stream);

// Where the variants come from: vectors for fp32 and fp16; vectors and AMX for bf16.
[[nodiscard]] std::vector<LinearVariant> linear_lanes_variants();
[[nodiscard]] std::vector<LinearVariant> linear_blocks_variants();

}  // namespace lil::kernels::cpu
