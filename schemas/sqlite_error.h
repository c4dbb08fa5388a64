#pragma once

#include <exception>
#include <filesystem>

namespace lil::schemas {

/// Rethrows the exception in flight: an SQLite one as lil::Error that names the store's file, any other as
/// it is. For the files of this folder alone.
[[noreturn]] void rethrow_naming_store(const std::filesystem::path& store);

/// Runs `action`; what SQLite throws in it becomes a lil::Error that names the store's file.
template <class Action>
auto with_sqlite_errors(const std::filesystem::path& store, Action&& action) {
  try {
    return action();
  } catch (const std::exception&) {
    rethrow_naming_store(store);
  }
}

}  // namespace lil::schemas
