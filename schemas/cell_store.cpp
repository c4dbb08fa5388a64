#include "schemas/cell_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

constexpr const char* kColumns =
    "run, problem_set, signal, stream, rule, traces, capped, tokens, kept, stopped, right_full, right_stop, "
    "harm, "
    "gain, details, computed_from";

}  // namespace

void put_cell(Store& store, const CellRecord& cell) {
  with_sqlite_errors(store.path(), [&] {
    SQLite::Statement insert(
        store.database(),
        fmt::format("INSERT OR REPLACE INTO cell ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kColumns));
    int column = 0;
    for (const std::string* text : {&cell.run, &cell.problem_set, &cell.signal, &cell.stream, &cell.rule}) {
      insert.bind(++column, *text);
    }
    for (const std::int64_t count : {cell.traces, cell.capped, cell.tokens, cell.kept, cell.stopped,
                                     cell.right_full, cell.right_stop, cell.harm, cell.gain}) {
      insert.bind(++column, count);
    }
    insert.bind(++column, cell.details);
    insert.bind(++column, cell.computed_from);
    insert.exec();
  });
}

std::vector<CellRecord> list_cells(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(), fmt::format("SELECT {} FROM cell ORDER BY id", kColumns));
    std::vector<CellRecord> cells;
    while (row.executeStep()) {
      CellRecord cell;
      int column = 0;
      for (std::string* text : {&cell.run, &cell.problem_set, &cell.signal, &cell.stream, &cell.rule}) {
        *text = row.getColumn(column++).getString();
      }
      for (std::int64_t* count : {&cell.traces, &cell.capped, &cell.tokens, &cell.kept, &cell.stopped,
                                  &cell.right_full, &cell.right_stop, &cell.harm, &cell.gain}) {
        *count = row.getColumn(column++).getInt64();
      }
      cell.details = row.getColumn(column++).getString();
      cell.computed_from = row.getColumn(column).getString();
      cells.push_back(std::move(cell));
    }
    return cells;
  });
}

}  // namespace lil::schemas
