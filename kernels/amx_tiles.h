#pragma once

#include <cstddef>
#include <cstdint>

namespace lil::kernels::cpu {

/// Outputs, and at most rows of x, of one AMX tile.
constexpr int kAmxTile = 16;

/// Blocks of each row between those that are multiplied and those that are fetched: 8 KiB of a tile.
constexpr std::int64_t kAmxAhead = 8;

/// Whether the processor multiplies tiles of bf16 and the system lets this process do so; asked once.
[[nodiscard]] bool amx_available();

/// The tile registers of the calling thread, set up for some rows of x while the object lives.
class AmxTiles {
 public:
  explicit AmxTiles(int rows);
  ~AmxTiles();
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  /// sums[n][r] += (with `afresh` =) weights[n, :] * x[r, :] over `blocks` blocks of 32 inputs, for 16
  /// outputs n, in the order of kernels/linear_cpu.h. `weights` is row 0 of the 16; x_pairs is (blocks, 16,
  /// rows) pairs of bf16, an even input's below an odd one's; sums is (16, 16). The processor is told early
  /// to fetch the blocks and then those that begin at `next`; where that is null, neither.
  void add(const std::byte* weights, std::int64_t stride_bytes, std::int64_t blocks, const float* x_pairs,
           const std::byte* next, bool afresh, float* sums) const;

 private:
  int rows_;
};

}  // namespace lil::kernels::cpu
