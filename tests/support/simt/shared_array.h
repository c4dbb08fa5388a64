#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "tests/support/simt/block.h"
#include "tests/support/simt/location.h"

// An array that the threads of a block share, each access checked: inside the array; if it reads, of an
// element that the block wrote; and ordered after what other threads did with the element. Two accesses by
// different threads are ordered by a barrier of the block between them or, in one warp, by a __syncwarp (over
// part of the warp it counts as one over all of it). Shuffles and votes order no memory: CUDA gives no such
// promise.
namespace lil::tests::simt {

/// Who touched an element last, and when: see Clock.
struct History {
  std::uint64_t write_barrier = 0;  ///< latest barrier before the last write; 0: none wrote
  std::uint64_t write_sync = 0;     ///< latest __syncwarp of the writer's warp before it
  std::uint64_t read_barrier = 0;
  std::uint64_t read_sync = 0;
  std::uint32_t reader_lanes = 0;  ///< of the reader's warp, since read_sync
  std::uint16_t writer = 0;        ///< thread
  std::uint16_t reader_warp = 0;
  bool read_by_many_warps = false;  ///< since read_barrier
  bool written_by_atomic = false;   ///< the last write
  bool written_by_many = false;     ///< by atomics of several threads, since write_barrier
};

enum class Access : std::uint8_t { kRead, kWrite, kAtomic };

/// An element, with what the checks want to know.
template <class T>
struct SharedAddress {
  T* values;
  History* histories;
  std::int64_t count;
  std::int64_t i;
  const char* name;
  Location where;

  /// Replaces the value by `next(value)` as an atomic does; returns the one before.
  template <class Next>
  T update(Next next) const;
};

/// Ends the thread with a fault.
[[noreturn]] void fail_shared(const char* name, std::int64_t count, std::int64_t i, Access access,
                              const History* history, Location where);

inline bool races_with_write(const History& history, Access access) {
  const Clock& clock = current_clock;
  if (history.write_barrier != clock.barrier) return false;
  if (access == Access::kAtomic && history.written_by_atomic) return false;
  if (history.written_by_many) return true;
  if (history.writer == clock.thread) return false;
  return history.writer / 32U != clock.thread / 32U || history.write_sync == clock.warp_sync;
}

inline bool races_with_read(const History& history) {
  const Clock& clock = current_clock;
  if (history.read_barrier != clock.barrier) return false;
  if (history.read_by_many_warps || history.reader_warp != clock.thread / 32U) return true;
  return history.read_sync == clock.warp_sync && (history.reader_lanes & ~(1U << clock.thread % 32U)) != 0;
}

inline void note_read(History& history) {
  const Clock& clock = current_clock;
  const std::uint16_t warp = static_cast<std::uint16_t>(clock.thread / 32U);
  const std::uint32_t lane = 1U << clock.thread % 32U;
  if (history.read_barrier != clock.barrier) {
    history.read_barrier = clock.barrier;
    history.read_sync = clock.warp_sync;
    history.reader_warp = warp;
    history.reader_lanes = lane;
    history.read_by_many_warps = false;
  } else if (history.reader_warp != warp) {
    history.read_by_many_warps = true;
  } else if (history.read_sync != clock.warp_sync) {
    history.read_sync = clock.warp_sync;
    history.reader_lanes = lane;
  } else {
    history.reader_lanes |= lane;
  }
}

inline void note_write(History& history, Access access) {
  const Clock& clock = current_clock;
  const bool atomic = access == Access::kAtomic;
  history.written_by_many = atomic && history.write_barrier == clock.barrier && history.written_by_atomic &&
                            (history.written_by_many || history.writer != clock.thread);
  history.written_by_atomic = atomic;
  history.write_barrier = clock.barrier;
  history.write_sync = clock.warp_sync;
  history.writer = static_cast<std::uint16_t>(clock.thread);
}

/// Checks an access and notes it; the element.
template <class T>
T& touch(const SharedAddress<T>& at, Access access) {
  if (at.i < 0 || at.i >= at.count) fail_shared(at.name, at.count, at.i, access, nullptr, at.where);
  History& history = at.histories[at.i];
  const bool reads_nothing = access != Access::kWrite && history.write_barrier < current_clock.block_start;
  if (reads_nothing || races_with_write(history, access) ||
      (access != Access::kRead && races_with_read(history))) {
    fail_shared(at.name, at.count, at.i, access, &history, at.where);
  }
  if (access == Access::kRead) {
    note_read(history);
  } else {
    note_write(history, access);
  }
  return at.values[at.i];
}

template <class T>
template <class Next>
T SharedAddress<T>::update(Next next) const {
  T& value = touch(*this, Access::kAtomic);
  const T before = value;
  value = next(before);
  return before;
}

/// name[i]: converts to the value and takes assignments. It is of use only where it stands, so that no copy
/// of it reads later than the text says: `const float x = name[i];`, not `const auto x`.
template <class T>
class SharedElement {
 public:
  explicit SharedElement(const SharedAddress<T>& at) : at_(at) {}
  SharedElement(const SharedElement&) = delete;
  SharedElement& operator=(const SharedElement&) = delete;

  // NOLINTBEGIN(performance-noexcept-move-constructor): a fault is thrown
  operator T() && { return touch(at_, Access::kRead); }
  T operator=(T value) && { return touch(at_, Access::kWrite) = value; }
  T operator=(SharedElement&& other) && { return std::move(*this) = touch(other.at_, Access::kRead); }
  T operator+=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) + value); }
  T operator-=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) - value); }
  T operator*=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) * value); }
  T operator|=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) | value); }
  T operator&=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) & value); }
  T operator^=(T value) && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) ^ value); }
  T operator++() && { return std::move(*this) = static_cast<T>(touch(at_, Access::kRead) + 1); }
  SharedAddress<T> operator&() && { return at_; }
  // NOLINTEND(performance-noexcept-move-constructor)

 private:
  SharedAddress<T> at_;
};

/// An index with the place where it stands.
struct SharedIndex {
  std::int64_t i;
  Location where;
  template <class I, class = std::enable_if_t<std::is_integral_v<I>>>
  SharedIndex(I index, Location location = Location::here())
      : i(static_cast<std::int64_t>(index)), where(location) {}
};

/// A thread's view of the array.
template <class T, std::int64_t kCount>
class SharedArray {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16 && kCount > 0);

 public:
  SharedArray(const void* declaration, const char* name, Location where = Location::here())
      : name_(name),
        histories_(static_cast<History*>(
            shared_memory(declaration, kCount * (sizeof(History) + sizeof(T)), kCount * sizeof(T), where))),
        values_(reinterpret_cast<T*>(histories_ + kCount)) {}
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;

  SharedElement<T> operator[](SharedIndex index) const {
    return SharedElement<T>({values_, histories_, kCount, index.i, name_, index.where});
  }

 private:
  static_assert(sizeof(History) % 16 == 0, "values stand behind the histories, at 16 bytes");
  const char* name_;
  History* histories_;
  T* values_;
};

}  // namespace lil::tests::simt
