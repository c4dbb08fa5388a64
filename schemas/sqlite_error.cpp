#include "schemas/sqlite_error.h"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <string>

#include "schemas/error.h"

namespace lil::schemas {

void rethrow_naming_store(const std::filesystem::path& store) {
  try {
    throw;
  } catch (const SQLite::Exception& error) {
    const std::string name = store.string();
    switch (error.getErrorCode()) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        throw Error(ErrorCode::kEnvironment,
                    fmt::format("{} is locked by another program that writes to it", name));
      case SQLITE_READONLY:
        throw Error(ErrorCode::kEnvironment, fmt::format("{} cannot be written to: it is read-only", name));
      case SQLITE_FULL:
        throw Error(ErrorCode::kEnvironment,
                    fmt::format("{}: the disk is full; what was committed is safe", name));
      case SQLITE_CANTOPEN:
        throw Error(ErrorCode::kEnvironment, fmt::format("{} cannot be opened: {}", name, error.what()));
      case SQLITE_NOTADB:
      case SQLITE_CORRUPT:
        throw Error(ErrorCode::kCorrupt, fmt::format("{} is damaged: {}", name, error.what()));
      default:
        throw Error(ErrorCode::kEnvironment, fmt::format("{}: SQLite says: {}", name, error.what()));
    }
  }
}

}  // namespace lil::schemas
