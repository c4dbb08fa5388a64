#pragma once

#include <filesystem>
#include <memory>

namespace SQLite {
class Database;
}

namespace lil::schemas {

enum class Access {
  kRead,    ///< the file must be a store of this version; never written to, never migrated
  kWrite,   ///< must be there; older versions migrated; the only writer of the file
  kCreate,  ///< as kWrite, but made where missing
};

/// An open trace store: one SQLite file (README.md beside this header has the format). One writer at a
/// time, readers at any time, in other processes too. A Store is used by one thread at a time.
class Store {
 public:
  /// Throws Error: kNotFound (no such file), kCorrupt (not a trace store, or damaged), kConflict (a store
  /// of a newer version), kEnvironment (cannot be read, written or locked); all name the file.
  [[nodiscard]] static Store open(const std::filesystem::path& path, Access access);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// For the files of this folder alone.
  [[nodiscard]] SQLite::Database& database() const { return *database_; }

 private:
  Store(std::filesystem::path path, std::unique_ptr<SQLite::Database> database);

  std::filesystem::path path_;
  std::unique_ptr<SQLite::Database> database_;
};

/// Groups writes: all of them or none. Rolls back when destroyed uncommitted. May be nested; an inner
/// one commits into the outer.
class Transaction {
 public:
  explicit Transaction(Store& store);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  void commit();

 private:
  Store& store_;
  bool outermost_ = true;
  bool open_ = true;
};

}  // namespace lil::schemas
