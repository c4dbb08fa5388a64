#include "analyze/cell_record.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "schemas/sha256.h"

namespace lil::analyze {
namespace {

constexpr std::size_t kPromisedColumns = 15;
constexpr std::string_view kAgainstReference = "saved_more";

std::string details_of(const Cell& cell) {
  nlohmann::ordered_json details = nlohmann::ordered_json::object();
  for (const CellColumn& column : cell_columns().subspan(kPromisedColumns)) {
    if (column.name.starts_with(kAgainstReference)) continue;  // of one question, not of the cell
    const std::string value = column.value(cell);
    if (value.empty()) {
      details[column.name] = nullptr;
    } else if (column.kind == ColumnKind::kText) {
      details[column.name] = value;
    } else {
      details[column.name] = nlohmann::ordered_json::parse(value);
    }
  }
  return details.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// (run, problem set) → the traces of its cells, a line each.
std::map<std::pair<std::string, std::string>, std::string> trace_lines(const schemas::Store& store,
                                                                       schemas::TraceFilter filter) {
  filter.complete_only = true;
  std::map<std::pair<std::string, std::string>, std::string> lines;
  for (const schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    lines[{trace.run_uid, trace.problem_set}] +=
        fmt::format("{} {} {}\n", trace.uid, trace.tokens, schemas::to_string(trace.finish));
  }
  return lines;
}

}  // namespace

std::vector<schemas::CellRecord> cell_records(const schemas::Store& store, const schemas::TraceFilter& filter,
                                              std::span<const Cell> cells) {
  const auto traces = trace_lines(store, filter);
  std::vector<schemas::CellRecord> records;
  records.reserve(cells.size());
  for (const Cell& cell : cells) {
    const auto found = traces.find({cell.run, cell.problem_set});
    const std::string source =
        fmt::format("{}\n{}\n{}\n{}", cell.signal_version, cell.grid_tokens.value_or(0), cell.grading,
                    found == traces.end() ? "" : found->second);
    records.push_back({cell.run, cell.problem_set, cell.signal, cell.stream, cell.rule, cell.traces,
                       cell.capped, cell.tokens, cell.kept, cell.stopped, cell.right_full, cell.right_stop,
                       cell.harm, cell.gain, details_of(cell), schemas::sha256_hex(source)});
  }
  return records;
}

}  // namespace lil::analyze
