// Is an encoder's memory, put back in place, what it was?
#include "replay/signals/encoder_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace lil::replay {
namespace {

std::uint8_t* take(EncoderArena& arena, std::size_t bytes, std::uint8_t fill) {
  auto* memory = static_cast<std::uint8_t*>(arena.allocate(bytes));
  std::fill_n(memory, bytes, fill);
  return memory;
}

bool holds(const std::uint8_t* memory, std::size_t bytes, std::uint8_t fill) {
  return std::all_of(memory, memory + bytes, [&](std::uint8_t byte) { return byte == fill; });
}

TEST(EncoderArena, RestoresWhatWasWrittenOver) {
  EncoderArena arena;
  std::uint8_t* a = take(arena, 100, 1);
  std::uint8_t* b = take(arena, 5000, 2);
  arena.save();
  std::fill_n(a, 100, 9);
  std::fill_n(b, 5000, 9);
  arena.restore();
  EXPECT_TRUE(holds(a, 100, 1));
  EXPECT_TRUE(holds(b, 5000, 2));
  b[4999] = 7;
  arena.restore();
  EXPECT_TRUE(holds(b, 5000, 2)) << "as often as wanted";
}

TEST(EncoderArena, ABlockReleasedAndTakenAgainSinceIsBack) {
  EncoderArena arena;
  std::uint8_t* a = take(arena, 1000, 1);
  std::uint8_t* b = take(arena, 300, 2);
  arena.save();
  arena.release(a);
  EXPECT_EQ(take(arena, 900, 3), a) << "the block that fits is used again";
  take(arena, 40000, 4);
  arena.release(b);
  arena.restore();
  EXPECT_TRUE(holds(a, 1000, 1));
  EXPECT_TRUE(holds(b, 300, 2));
  EXPECT_NE(take(arena, 300, 5), b) << "b is in use again";
  EXPECT_TRUE(holds(b, 300, 2));
}

TEST(EncoderArena, WhatWasReleasedBeforeSavingIsFree) {
  EncoderArena arena;
  std::uint8_t* a = take(arena, 64, 1);
  std::uint8_t* b = take(arena, 64, 2);
  arena.release(a);
  arena.save();
  EXPECT_EQ(take(arena, 64, 3), a);
  arena.restore();
  EXPECT_EQ(take(arena, 64, 4), a);
  EXPECT_TRUE(holds(b, 64, 2));
}

TEST(EncoderArena, ClearingKeepsTheMemory) {
  EncoderArena arena;
  std::uint8_t* a = take(arena, 64, 1);
  arena.clear();
  EXPECT_EQ(take(arena, 64, 2), a);
  arena.release(nullptr);
  EXPECT_NE(arena.allocate(0), nullptr);
}

}  // namespace
}  // namespace lil::replay
