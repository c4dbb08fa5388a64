#include "schemas/cost_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

constexpr const char* kTraces =
    "FROM trace t JOIN problem p ON p.id = t.problem_id {} WHERE t.run_id = ? AND p.problem_set = ? AND "
    "t.complete = 1 AND {}";

/// The sum in the first column over that in the second; nothing where there is none.
std::optional<double> ratio_of(SQLite::Statement& sums) {
  if (!sums.executeStep() || sums.getColumn(1).getDouble() <= 0) return std::nullopt;
  return sums.getColumn(0).getDouble() / sums.getColumn(1).getDouble();
}

}  // namespace

std::optional<double> decode_step_ns(const Store& store, RunKey run, const std::string& problem_set) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement sums(store.database(), "SELECT SUM(t.decode_ns), SUM(t.tokens) " +
                                                 fmt::format(fmt::runtime(kTraces), "", "t.decode_ns > 0"));
    sums.bind(1, static_cast<std::int64_t>(run));
    sums.bind(2, problem_set);
    return ratio_of(sums);
  });
}

std::optional<double> curve_point_ns(const Store& store, RunKey run, const std::string& problem_set,
                                     const CurveId& id) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement sums(store.database(),
                           "SELECT SUM(c.cpu_ns), SUM(t.tokens / c.grid_tokens) " +
                               fmt::format(fmt::runtime(kTraces), "JOIN curve c ON c.trace_id = t.id",
                                           "c.cpu_ns > 0 AND c.signal = ? AND c.version = ? "
                                           "AND c.stream = ? AND c.grid_tokens = ?"));
    sums.bind(1, static_cast<std::int64_t>(run));
    sums.bind(2, problem_set);
    sums.bind(3, id.signal);
    sums.bind(4, id.version);
    sums.bind(5, id.stream);
    sums.bind(6, id.grid_tokens);
    return ratio_of(sums);
  });
}

}  // namespace lil::schemas
