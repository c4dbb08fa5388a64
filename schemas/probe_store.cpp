#include "schemas/probe_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "schemas/block_codec.h"
#include "schemas/error.h"
#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

constexpr std::array kFinishes{std::pair{ProbeFinish::kClosed, "closed"},
                               std::pair{ProbeFinish::kStop, "stop"},
                               std::pair{ProbeFinish::kLength, "length"}};

std::string trace_name(const Store& store, TraceKey trace) {
  SQLite::Statement find(store.database(), "SELECT uid FROM trace WHERE id = ?");
  find.bind(1, static_cast<std::int64_t>(trace));
  return fmt::format("{}: trace {}", store.path().string(),
                     find.executeStep() ? find.getColumn(0).getString() : "of no uid");
}

ProbeFinish finish_from(const std::string& name) {
  for (const auto& [finish, its_name] : kFinishes) {
    if (name == its_name) return finish;
  }
  throw Error(ErrorCode::kCorrupt, fmt::format("unknown finish '{}'", name));
}

Probe probe_from(SQLite::Statement& row) {
  Probe probe;
  probe.token = row.getColumn(0).getInt64();
  probe.closing = row.getColumn(1).getString();
  decode_ids(row.getColumn(2).getString(), probe.ids);
  probe.text = row.getColumn(3).getString();
  probe.finish = finish_from(row.getColumn(4).getString());
  return probe;
}

std::optional<Probe> stored_probe(const Store& store, TraceKey trace, const Probe& probe) {
  SQLite::Statement find(
      store.database(),
      "SELECT token, closing, ids, text, finish FROM probe WHERE trace_id = ? AND token = ? AND closing = ?");
  find.bind(1, static_cast<std::int64_t>(trace));
  find.bind(2, probe.token);
  find.bind(3, probe.closing);
  if (!find.executeStep()) return std::nullopt;
  return probe_from(find);
}

/// The shorter one was cut by its cap, and they are equal as far as it goes.
bool agrees_as_far_as_cut(const Probe& cut, const Probe& longer) {
  return cut.finish == ProbeFinish::kLength && cut.ids.size() <= longer.ids.size() &&
         std::equal(cut.ids.begin(), cut.ids.end(), longer.ids.begin());
}

void remove_probe(Store& store, TraceKey trace, const Probe& probe) {
  SQLite::Statement remove(store.database(),
                           "DELETE FROM probe WHERE trace_id = ? AND token = ? AND closing = ?");
  remove.bind(1, static_cast<std::int64_t>(trace));
  remove.bind(2, probe.token);
  remove.bind(3, probe.closing);
  remove.exec();
}

[[noreturn]] void refuse(const Store& store, TraceKey trace, const Probe& stored, const Probe& probe) {
  const auto differs =
      std::mismatch(stored.ids.begin(), stored.ids.end(), probe.ids.begin(), probe.ids.end()).first;
  throw Error(ErrorCode::kConflict,
              fmt::format("{}: the probe after token {} does not repeat what is stored: they differ from its "
                          "token {} on, it answers '{}' now and answered '{}'",
                          trace_name(store, trace), probe.token, differs - stored.ids.begin(), probe.text,
                          stored.text));
}

}  // namespace

const char* to_string(ProbeFinish finish) {
  return std::find_if(kFinishes.begin(), kFinishes.end(),
                      [&](const auto& row) { return row.first == finish; })
      ->second;
}

void put_probe(Store& store, TraceKey trace, const Probe& probe) {
  with_sqlite_errors(store.path(), [&] {
    if (const auto stored = stored_probe(store, trace, probe)) {
      if (*stored == probe || agrees_as_far_as_cut(probe, *stored)) return;
      if (!agrees_as_far_as_cut(*stored, probe)) refuse(store, trace, *stored, probe);
      remove_probe(store, trace, probe);
    }
    const std::string ids = encode_ids(probe.ids);
    SQLite::Statement insert(
        store.database(),
        "INSERT INTO probe (trace_id, token, closing, ids, text, finish) VALUES (?, ?, ?, ?, ?, ?)");
    insert.bind(1, static_cast<std::int64_t>(trace));
    insert.bind(2, probe.token);
    insert.bind(3, probe.closing);
    insert.bind(4, ids.data(), static_cast<int>(ids.size()));
    insert.bind(5, probe.text);
    insert.bind(6, to_string(probe.finish));
    insert.exec();
  });
}

bool has_probes(const Store& store, const std::string& trace_uid) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement find(store.database(),
                           "SELECT 1 FROM probe b JOIN trace t ON t.id = b.trace_id WHERE t.uid = ? LIMIT 1");
    find.bind(1, trace_uid);
    return find.executeStep();
  });
}

std::vector<Probe> read_probes(const Store& store, TraceKey trace) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(),
                          "SELECT token, closing, ids, text, finish FROM probe WHERE trace_id = ? "
                          "ORDER BY token, closing");
    row.bind(1, static_cast<std::int64_t>(trace));
    std::vector<Probe> probes;
    while (row.executeStep()) {
      try {
        probes.push_back(probe_from(row));
      } catch (const Error& error) {
        throw Error(ErrorCode::kCorrupt, fmt::format("{}, probe after token {}: {}", trace_name(store, trace),
                                                     row.getColumn(0).getInt64(), error.what()));
      }
    }
    return probes;
  });
}

}  // namespace lil::schemas
