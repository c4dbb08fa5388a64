#include "schemas/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <utility>

#include "schemas/error.h"
#include "schemas/migrations.h"
#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

namespace fs = std::filesystem;

constexpr int kApplicationId = 0x4c696c31;  // "Lil1"
constexpr int kBusyTimeoutMs = 10000;

int pragma(const SQLite::Database& database, const std::string& name) {
  SQLite::Statement statement(database, "PRAGMA " + name);
  statement.executeStep();
  return statement.getColumn(0).getInt();
}

bool is_sqlite_file(const fs::path& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::array<char, kMagic.size()> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  return file.gcount() == static_cast<std::streamsize>(head.size()) &&
         std::string_view(head.data(), head.size()) == kMagic;
}

void require_store_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such trace store", path.string()));
  }
  if (fs::is_directory(path, error)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} is a folder, not a trace store", path.string()));
  }
  if (access(path.c_str(), R_OK) != 0) {
    throw Error(ErrorCode::kEnvironment,
                fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  }
  if (fs::file_size(path, error) == 0) return;  // what a writer that was killed in its first moment leaves
  if (!is_sqlite_file(path)) {
    throw Error(ErrorCode::kCorrupt, fmt::format("{} is not a trace store (no SQLite file)", path.string()));
  }
}

/// The store's version; 0 for an empty database.
int checked_version(const SQLite::Database& database, const fs::path& path) {
  const int application = pragma(database, "application_id");
  const int version = pragma(database, "user_version");
  const bool empty = application == 0 && version == 0 && pragma(database, "schema_version") == 0;
  if (!empty && application != kApplicationId) {
    throw Error(ErrorCode::kCorrupt,
                fmt::format("{} is an SQLite file, but not a trace store", path.string()));
  }
  const int newest = static_cast<int>(migrations().size());
  if (version > newest) {
    throw Error(
        ErrorCode::kConflict,
        fmt::format(
            "{} is a trace store of version {}; this program knows versions up to {}: use a newer one",
            path.string(), version, newest));
  }
  return version;
}

void migrate(Store& store, int version) {
  const auto steps = migrations();
  if (version == static_cast<int>(steps.size())) return;
  Transaction transaction(store);
  // Another writer may have migrated between the look and the lock.
  for (int step = pragma(store.database(), "user_version"); step < static_cast<int>(steps.size()); ++step) {
    store.database().exec(std::string(steps[static_cast<std::size_t>(step)]));
  }
  store.database().exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  store.database().exec(fmt::format("PRAGMA user_version = {}", steps.size()));
  transaction.commit();
}

/// A write-ahead log where the file system can have one, a rollback journal elsewhere.
void choose_journal(SQLite::Database& database) {
  SQLite::Statement statement(database, "PRAGMA journal_mode = WAL");
  statement.executeStep();
  const bool wal = statement.getColumn(0).getString() == "wal";
  statement.reset();
  if (!wal) database.exec("PRAGMA journal_mode = DELETE");
  // With a write-ahead log a commit survives the death of the process without waiting for the disk.
  database.exec(wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
}

std::unique_ptr<SQLite::Database> open_for_reading(const fs::path& path) {
  // Without a log beside it and without the right to make one, the file can be read only as immutable.
  const bool has_log = fs::exists(path.string() + "-wal");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!has_log && access(folder.c_str(), W_OK) != 0) {
    std::string escaped;
    for (const char c : fs::absolute(path).string()) {
      const bool special = c == '?' || c == '#' || c == '%';
      escaped += special ? fmt::format("%{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return std::make_unique<SQLite::Database>("file:" + escaped + "?immutable=1",
                                              SQLite::OPEN_READONLY | SQLite::OPEN_URI, kBusyTimeoutMs);
  }
  return std::make_unique<SQLite::Database>(path.string(), SQLite::OPEN_READONLY, kBusyTimeoutMs);
}

}  // namespace

Store::Store(fs::path path, std::unique_ptr<SQLite::Database> database)
    : path_(std::move(path)), database_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open(const fs::path& path, Access access) {
  return with_sqlite_errors(path, [&] {
    if (access == Access::kRead) {
      require_store_file(path);
      Store store(path, open_for_reading(path));
      const int version = checked_version(store.database(), path);
      if (version < static_cast<int>(migrations().size())) {
        throw Error(
            version == 0 ? ErrorCode::kCorrupt : ErrorCode::kConflict,
            version == 0
                ? fmt::format("{} is an empty file, not a trace store", path.string())
                : fmt::format("{} is a trace store of version {}, older than {}; `lil grade {}` brings "
                              "it up to date",
                              path.string(), version, migrations().size(), path.string()));
      }
      return store;
    }
    std::error_code ignored;
    if (access == Access::kWrite || fs::exists(path, ignored)) require_store_file(path);
    Store store(path, std::make_unique<SQLite::Database>(
                          path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMs));
    const int version = checked_version(store.database(), path);
    // A block of tokens is about 1.5 kB: small pages would waste a quarter of the file. Only a new file
    // takes it.
    store.database().exec("PRAGMA page_size = 16384");
    choose_journal(store.database());
    store.database().exec("PRAGMA foreign_keys = ON");
    migrate(store, version);
    return store;
  });
}

Transaction::Transaction(Store& store) : store_(store) {
  with_sqlite_errors(store.path(), [&] {
    // Taking the write lock at once avoids failing half-way when another writer is there.
    const bool outermost = sqlite3_get_autocommit(store.database().getHandle()) != 0;
    store.database().exec(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT inner_transaction");
    outermost_ = outermost;
  });
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    if (outermost_) {
      store_.database().exec("ROLLBACK");
    } else {
      store_.database().exec("ROLLBACK TO inner_transaction; RELEASE inner_transaction");
    }
  } catch (const SQLite::Exception&) {
    // SQLite has rolled back by itself, as it does when the disk is full.
    open_ = false;
  }
}

void Transaction::commit() {
  with_sqlite_errors(store_.path(),
                     [&] { store_.database().exec(outermost_ ? "COMMIT" : "RELEASE inner_transaction"); });
  open_ = false;
}

}  // namespace lil::schemas
