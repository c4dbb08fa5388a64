#include "schemas/curve_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "schemas/error.h"
#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

std::string deltas_json(const Curve& curve) {
  std::string json = "[";
  std::int64_t previous = 0;
  for (const std::int64_t value : curve.values) {
    if (json.size() > 1) json += ',';
    json += std::to_string(value - previous);
    previous = value;
  }
  return json + "]";
}

std::vector<std::int64_t> values_from(std::string_view json) {
  std::vector<std::int64_t> values;
  std::int64_t value = 0;
  const char* at = json.data() + 1;
  const char* const last = json.data() + json.size() - 1;  // the closing bracket
  while (at < last) {
    std::int64_t delta = 0;
    const auto [end, error] = std::from_chars(at, last, delta);
    if (error != std::errc{} || (end != last && *end != ',')) {
      throw Error(ErrorCode::kCorrupt, fmt::format("no whole number at character {}", at - json.data()));
    }
    value += delta;
    values.push_back(value);
    at = end + 1;
  }
  return values;
}

void bind_id(SQLite::Statement& statement, int first, const CurveId& id) {
  statement.bind(first, id.signal);
  statement.bind(first + 1, id.version);
  statement.bind(first + 2, id.stream);
  statement.bind(first + 3, id.grid_tokens);
}

}  // namespace

void put_curve(Store& store, TraceKey trace, const CurveId& id, const Curve& curve, std::int64_t cpu_ns) {
  with_sqlite_errors(store.path(), [&] {
    SQLite::Statement insert(
        store.database(),
        "INSERT OR REPLACE INTO curve (trace_id, signal, version, stream, grid_tokens, deltas, "
        "cpu_ns) VALUES (?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, static_cast<std::int64_t>(trace));
    bind_id(insert, 2, id);
    insert.bind(6, deltas_json(curve));
    insert.bind(7, cpu_ns);
    insert.exec();
  });
}

std::optional<Curve> read_curve(const Store& store, TraceKey trace, const CurveId& id) {
  return with_sqlite_errors(store.path(), [&]() -> std::optional<Curve> {
    SQLite::Statement row(
        store.database(),
        "SELECT deltas FROM curve WHERE trace_id = ? AND signal = ? AND version = ? AND stream = ? "
        "AND grid_tokens = ?");
    row.bind(1, static_cast<std::int64_t>(trace));
    bind_id(row, 2, id);
    if (!row.executeStep()) return std::nullopt;
    const std::string json = row.getColumn(0).getString();
    try {
      if (json.size() < 2 || json.front() != '[' || json.back() != ']') {
        throw Error(ErrorCode::kCorrupt, "no JSON array");
      }
      return Curve{id.grid_tokens, values_from(json)};
    } catch (const Error& error) {
      throw Error(ErrorCode::kCorrupt,
                  fmt::format("{}: curve {} on {} of trace row {}: {}", store.path().string(), id.signal,
                              id.stream, static_cast<std::int64_t>(trace), error.what()));
    }
  });
}

std::set<TraceKey> traces_with_curve(const Store& store, const CurveId& id) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(),
                          "SELECT trace_id FROM curve WHERE signal = ? AND version = ? AND stream = ? AND "
                          "grid_tokens = ?");
    bind_id(row, 1, id);
    std::set<TraceKey> traces;
    while (row.executeStep()) traces.insert(TraceKey{row.getColumn(0).getInt64()});
    return traces;
  });
}

std::vector<CurveId> list_curve_ids(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(
        store.database(),
        "SELECT signal, version, stream, grid_tokens FROM curve GROUP BY signal, version, stream, "
        "grid_tokens ORDER BY MIN(id)");
    std::vector<CurveId> ids;
    while (row.executeStep()) {
      ids.push_back({row.getColumn(0).getString(), row.getColumn(1).getString(), row.getColumn(2).getString(),
                     row.getColumn(3).getInt64()});
    }
    return ids;
  });
}

}  // namespace lil::schemas
