#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace lil::replay {

/// Memory for an encoder whose state the library offers no way to copy: everything that the library's
/// custom allocator asks for comes from here, and the whole of it can be saved and put back in place. Blocks
/// never move, so the pointers among them hold. Used by one thread at a time.
class EncoderArena {
 public:
  EncoderArena() = default;
  EncoderArena(const EncoderArena&) = delete;
  EncoderArena& operator=(const EncoderArena&) = delete;

  /// As aligned as operator new; nullptr where memory is out. A released block that fits is used again.
  void* allocate(std::size_t bytes) noexcept {
    bytes = std::max<std::size_t>(bytes, 1);
    Block* best = nullptr;
    for (Block& block : blocks_) {
      const bool fits = block.used == 0 && bytes <= block.capacity && block.capacity <= 2 * bytes;
      if (fits && (best == nullptr || block.capacity < best->capacity)) best = &block;
    }
    try {
      if (best == nullptr) {
        blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(bytes), bytes, 0});
        best = &blocks_.back();
      }
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    best->used = bytes;
    return best->memory.get();
  }

  /// nullptr is allowed.
  void release(const void* memory) noexcept {
    if (memory == nullptr) return;
    const auto found = std::find_if(blocks_.begin(), blocks_.end(),
                                    [&](const Block& block) { return block.memory.get() == memory; });
    assert(found != blocks_.end() && found->used > 0);
    found->used = 0;
  }

  /// Releases every block; their memory is kept for the next ones, and what was saved is forgotten.
  void clear() noexcept {
    for (Block& block : blocks_) block.used = 0;
    saved_uses_.clear();
  }

  /// Keeps a copy of all that is allocated. Throws std::bad_alloc.
  void save() {
    saved_uses_.clear();
    std::size_t bytes = 0;
    for (const Block& block : blocks_) bytes += block.used;
    if (saved_.size() < bytes) saved_.resize(bytes);
    std::byte* to = saved_.data();
    for (const Block& block : blocks_) {
      saved_uses_.push_back(block.used);
      if (block.used > 0) std::memcpy(to, block.memory.get(), block.used);
      to += block.used;
    }
  }

  /// Back to what save() found: contents, and which blocks are in use.
  void restore() noexcept {
    assert(!saved_uses_.empty() && "nothing is saved");
    const std::byte* from = saved_.data();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      Block& block = blocks_[i];
      block.used = i < saved_uses_.size() ? saved_uses_[i] : 0;
      if (block.used > 0) std::memcpy(block.memory.get(), from, block.used);
      from += block.used;
    }
  }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    std::size_t capacity = 0;
    std::size_t used = 0;  // bytes asked for; 0: released
  };

  std::vector<Block> blocks_;
  std::vector<std::size_t> saved_uses_;  // of the blocks there were
  std::vector<std::byte> saved_;         // their contents, one after the other
};

}  // namespace lil::replay
