#include "kernels/amx_tiles.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#define LIL_AMX __attribute__((target("amx-tile,amx-bf16")))

namespace lil::kernels::cpu {
namespace {

constexpr std::int64_t kBlockBytes = 64;

// Tile registers; the intrinsics need literals.
#define LIL_AMX_SUMS 0
#define LIL_AMX_WEIGHTS 1
#define LIL_AMX_X 2

// As LDTILECFG reads it.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> row_bytes{};
  std::array<std::uint8_t, 16> rows{};
};

bool processor_has_amx() {
  constexpr unsigned kBf16Tiles = (1U << 22) | (1U << 24);
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBf16Tiles) == kBf16Tiles;
}

// Linux hands out the tiles' 8 KiB of state only to processes that ask for it.
bool system_grants_amx() {
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// g++ 12 does not know that its intrinsics for tiles read memory: this makes it write what is pending.
inline void finish_writes() {
  asm volatile("" ::: "memory");
}

// Functions of their own, since g++ forgets a target attribute of constructors.
LIL_AMX void configure(const TileShapes& shapes) {
  finish_writes();
  _tile_loadconfig(&shapes);
}

LIL_AMX void release() {
  _tile_release();
}

void fetch(const std::byte* rows, std::int64_t stride_bytes) {
  for (int row = 0; row < kAmxTile; ++row) {
    _mm_prefetch(reinterpret_cast<const char*>(rows + row * stride_bytes), _MM_HINT_T0);
  }
}

}  // namespace

bool amx_available() {
  static const bool available = processor_has_amx() && system_grants_amx();
  return available;
}

AmxTiles::AmxTiles(int rows) : rows_(rows) {
  TileShapes shapes;
  const auto x_bytes = static_cast<std::uint16_t>(4 * rows);
  shapes.rows[LIL_AMX_SUMS] = shapes.rows[LIL_AMX_WEIGHTS] = shapes.rows[LIL_AMX_X] = kAmxTile;
  shapes.row_bytes[LIL_AMX_SUMS] = shapes.row_bytes[LIL_AMX_X] = x_bytes;
  shapes.row_bytes[LIL_AMX_WEIGHTS] = kBlockBytes;
  configure(shapes);
}

AmxTiles::~AmxTiles() {
  release();
}

LIL_AMX void AmxTiles::add(const std::byte* weights, std::int64_t stride_bytes, std::int64_t blocks,
                           const float* x_pairs, const std::byte* next, bool afresh, float* sums) const {
  const std::int64_t x_bytes = std::int64_t{4} * rows_;
  finish_writes();
  if (afresh) {
    _tile_zero(LIL_AMX_SUMS);
  } else {
    _tile_loadd(LIL_AMX_SUMS, sums, kBlockBytes);
  }
  for (std::int64_t block = 0; block < blocks; ++block) {
    if (next != nullptr) {
      const std::int64_t fetched = block + kAmxAhead;
      fetch(fetched < blocks ? weights + fetched * kBlockBytes : next + (fetched - blocks) * kBlockBytes,
            stride_bytes);
    }
    _tile_loadd(LIL_AMX_X, x_pairs + block * kAmxTile * rows_, x_bytes);
    _tile_loadd(LIL_AMX_WEIGHTS, weights + block * kBlockBytes, stride_bytes);
    _tile_dpbf16ps(LIL_AMX_SUMS, LIL_AMX_WEIGHTS, LIL_AMX_X);
  }
  _tile_stored(LIL_AMX_SUMS, sums, kBlockBytes);
}

}  // namespace lil::kernels::cpu

#else

namespace lil::kernels::cpu {

bool amx_available() {
  return false;
}
AmxTiles::AmxTiles(int rows) : rows_(rows) {}
AmxTiles::~AmxTiles() = default;
void AmxTiles::add(const std::byte* /*weights*/, std::int64_t /*stride_bytes*/, std::int64_t /*blocks*/,
                   const float* /*x_pairs*/, const std::byte* /*next*/, bool /*afresh*/,
                   float* /*sums*/) const {}

}  // namespace lil::kernels::cpu

#endif
