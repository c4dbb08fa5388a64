#pragma once

#include <filesystem>

namespace lil::schemas {

/// Held by what adds traces to a store for as long as it runs, so that no two write the same trace: an
/// advisory lock on `<store>.lock`, which goes with the process however it ends. Short writes (curves,
/// answers, cells) need none: SQLite's own locks order them.
class WriterLock {
 public:
  /// Throws Error(kEnvironment) naming the store, at once where another process holds the lock.
  explicit WriterLock(const std::filesystem::path& store);
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace lil::schemas
