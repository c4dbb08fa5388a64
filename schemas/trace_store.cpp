#include "schemas/trace_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "schemas/block_codec.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "schemas/sha256.h"
#include "schemas/sqlite_error.h"
#include "schemas/trace_block.h"

namespace lil::schemas {
namespace {

template <class Value>
void extend(std::vector<Value>& values, std::span<const Value> more) {
  values.insert(values.end(), more.begin(), more.end());
}

template <class Value>
void drop_head(std::vector<Value>& values, std::int64_t count) {
  if (!values.empty()) values.erase(values.begin(), values.begin() + count);
}

/// `count` tokens from `first` on; without a count, all that follow.
TokenChunk part(const TokenChunk& chunk, std::int64_t first, std::size_t count = std::dynamic_extent) {
  const auto of = [&](auto values) {
    return values.empty() ? values : values.subspan(static_cast<std::size_t>(first), count);
  };
  return {of(chunk.ids), of(chunk.logprob), of(chunk.entropy), of(chunk.attended)};
}

TokenChunk chunk_of(const TraceTokens& tokens) {
  return {tokens.ids, tokens.logprob, tokens.entropy, tokens.attended};
}

TraceInfo info_from(SQLite::Statement& row) {
  TraceInfo info;
  info.key = TraceKey{row.getColumn(0).getInt64()};
  info.run = RunKey{row.getColumn(1).getInt64()};
  info.problem = ProblemKey{row.getColumn(2).getInt64()};
  info.uid = row.getColumn(3).getString();
  info.run_uid = row.getColumn(4).getString();
  info.problem_set = row.getColumn(5).getString();
  info.problem_id = row.getColumn(6).getString();
  info.gold = row.getColumn(7).getString();
  info.kind = answer_kind_from(row.getColumn(8).getString());
  info.tokenizer = TokenizerKey{row.getColumn(9).getInt64()};
  info.repeat = row.getColumn(10).getInt64();
  info.prompt_tokens = row.getColumn(11).getInt64();
  info.tokens = row.getColumn(12).getInt64();
  info.finish = finish_from(row.getColumn(13).getString());
  info.complete = row.getColumn(14).getInt() != 0;
  info.has_logprob = row.getColumn(16).getInt() != 0;
  info.has_entropy = row.getColumn(17).getInt() != 0;
  return info;
}

/// Nothing where the text is no `name(key=value,…)`, as a log may have it.
std::optional<NamedSpec> spec_or_none(const std::string& text) {
  try {
    return parse_named_spec(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Whether a run's policy has the name and every parameter of `asked`: `sink(budget=64)` selects a policy
/// whose other parameters are whatever they are. What is no spec is selected by its very text.
bool policy_matches(const std::string& policy, const std::string& asked) {
  if (policy == asked) return true;
  const auto wanted = spec_or_none(asked);
  const auto resolved = spec_or_none(policy);
  return wanted && resolved && resolved->name == wanted->name &&
         std::all_of(wanted->values.begin(), wanted->values.end(), [&](const auto& value) {
           return std::find(resolved->values.begin(), resolved->values.end(), value) !=
                  resolved->values.end();
         });
}

/// A condition on the query of list_traces with the value it binds; `prefix` compares the first characters.
struct Condition {
  std::string column;
  const std::optional<std::string>* value;
  bool prefix;
};

std::vector<Condition> conditions_of(const TraceFilter& filter) {
  return {{"r.uid", &filter.run, true},
          {"r.model", &filter.model, false},
          {"p.problem_set", &filter.problem_set, false},
          {"p.external_id", &filter.problem_id, false},
          {"t.uid", &filter.uid, true}};
}

}  // namespace

std::string trace_uid(const std::string& run_uid, const std::string& problem_set,
                      const std::string& problem_id, std::int64_t repeat) {
  // Lengths keep two different tuples from having one spelling.
  return sha256_hex(fmt::format("{}:{}|{}:{}|{}:{}|{}", run_uid.size(), run_uid, problem_set.size(),
                                problem_set, problem_id.size(), problem_id, repeat))
      .substr(0, 16);
}

TraceWriter::TraceWriter(Store& store, NewTrace trace) : store_(store), trace_(std::move(trace)) {
  with_sqlite_errors(store.path(), [&] {
    const std::string prompt = encode_ids(trace_.prompt_ids);
    SQLite::Statement find(store.database(), "SELECT id, complete, prompt_ids FROM trace WHERE uid = ?");
    find.bind(1, trace_.uid);
    if (find.executeStep()) {
      key_ = TraceKey{find.getColumn(0).getInt64()};
      if (find.getColumn(1).getInt() != 0) {
        throw Error(ErrorCode::kConflict,
                    fmt::format("{}: trace {} is complete already", store.path().string(), trace_.uid));
      }
      if (find.getColumn(2).getString() != prompt) {
        throw Error(ErrorCode::kConflict,
                    fmt::format("{}: unfinished trace {} was started from another prompt",
                                store.path().string(), trace_.uid));
      }
      stored_prefix_ = read_tokens(store, key_).ids;
      blocks_ = static_cast<std::int64_t>(stored_prefix_.size()) / kBlockTokens;
      written_tokens_ = static_cast<std::int64_t>(stored_prefix_.size());
      return;
    }
    SQLite::Statement insert(
        store.database(),
        "INSERT INTO trace (uid, run_id, problem_id, repeat, seed, prompt_ids, prompt_tokens, "
        "tokens, finish, token_source, complete, prefill_ns, decode_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0, 'partial', ?, 0, 0, 0)");
    insert.bind(1, trace_.uid);
    insert.bind(2, static_cast<std::int64_t>(trace_.run));
    insert.bind(3, static_cast<std::int64_t>(trace_.problem));
    insert.bind(4, trace_.repeat);
    insert.bind(5, static_cast<std::int64_t>(trace_.seed));
    insert.bind(6, prompt.data(), static_cast<int>(prompt.size()));
    insert.bind(7, static_cast<std::int64_t>(trace_.prompt_ids.size()));
    insert.bind(8, to_string(trace_.source));
    insert.exec();
    key_ = TraceKey{store.database().getLastInsertRowid()};
  });
}

void TraceWriter::verify_prefix(const TokenChunk& chunk, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i, ++verified_) {
    const TokenId stored = stored_prefix_[static_cast<std::size_t>(verified_)];
    const TokenId given = chunk.ids[static_cast<std::size_t>(i)];
    if (stored != given) {
      throw Error(ErrorCode::kConflict,
                  fmt::format("{}: trace {} (repeat {} of its problem) does not repeat what is stored: token "
                              "{} is {} now and "
                              "was {}",
                              store_.path().string(), trace_.uid, trace_.repeat, verified_, given, stored));
    }
  }
}

void TraceWriter::append(const TokenChunk& chunk) {
  const std::int64_t left = static_cast<std::int64_t>(stored_prefix_.size()) - verified_;
  const std::int64_t repeated = std::min(left, static_cast<std::int64_t>(chunk.ids.size()));
  verify_prefix(chunk, repeated);
  const TokenChunk fresh = part(chunk, repeated);
  extend(pending_.ids, fresh.ids);
  extend(pending_.logprob, fresh.logprob);
  extend(pending_.entropy, fresh.entropy);
  extend(pending_.attended, fresh.attended);
  const std::int64_t full = static_cast<std::int64_t>(pending_.ids.size()) / kBlockTokens * kBlockTokens;
  for (std::int64_t first = 0; first < full; first += kBlockTokens) {
    with_sqlite_errors(store_.path(), [&] {
      Transaction transaction(store_);
      write_block(part(chunk_of(pending_), first, kBlockTokens));
      transaction.commit();
    });
  }
  drop_head(pending_.ids, full);
  drop_head(pending_.logprob, full);
  drop_head(pending_.entropy, full);
  drop_head(pending_.attended, full);
}

void TraceWriter::write_block(const TokenChunk& chunk) {
  write_trace_block(store_, key_, blocks_++, chunk);
  written_tokens_ += static_cast<std::int64_t>(chunk.ids.size());
  SQLite::Statement update(store_.database(), "UPDATE trace SET tokens = ? WHERE id = ?");
  update.bind(1, written_tokens_);
  update.bind(2, static_cast<std::int64_t>(key_));
  update.exec();
}

void TraceWriter::finish(Finish finish, std::int64_t prefill_ns, std::int64_t decode_ns) {
  if (verified_ < static_cast<std::int64_t>(stored_prefix_.size())) {
    throw Error(ErrorCode::kConflict,
                fmt::format("{}: trace {} ends at token {} now, but {} tokens of it are stored",
                            store_.path().string(), trace_.uid, verified_, stored_prefix_.size()));
  }
  with_sqlite_errors(store_.path(), [&] {
    Transaction transaction(store_);
    if (!pending_.ids.empty()) write_block(chunk_of(pending_));
    SQLite::Statement update(
        store_.database(),
        "UPDATE trace SET finish = ?, complete = 1, prefill_ns = ?, decode_ns = ? WHERE id = ?");
    update.bind(1, to_string(finish));
    update.bind(2, prefill_ns);
    update.bind(3, decode_ns);
    update.bind(4, static_cast<std::int64_t>(key_));
    update.exec();
    transaction.commit();
  });
}

TraceFilter parse_trace_filter(const std::string& text) {
  TraceFilter filter;
  NamedSpec spec;
  try {
    spec = parse_named_spec("where(" + text + ")");
  } catch (const Error&) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' does not select traces: expected key=value,key=value", text));
  }
  for (const auto& [key, value] : spec.values) {
    if (key == "run") {
      filter.run = value;
    } else if (key == "model") {
      filter.model = value;
    } else if (key == "policy") {
      filter.policy = value;
    } else if (key == "problem_set") {
      filter.problem_set = value;
    } else if (key == "problem_id") {
      filter.problem_id = value;
    } else if (key == "uid") {
      filter.uid = value;
    } else {
      throw Error(
          ErrorCode::kUsage,
          fmt::format("traces cannot be selected by '{}'; known are: run, model, policy, problem_set, "
                      "problem_id, uid",
                      key));
    }
  }
  return filter;
}

std::vector<TraceInfo> list_traces(const Store& store, const TraceFilter& filter) {
  return with_sqlite_errors(store.path(), [&] {
    std::string query =
        "SELECT t.id, t.run_id, t.problem_id, t.uid, r.uid, p.problem_set, p.external_id, p.gold, p.kind, "
        "r.tokenizer_id, t.repeat, t.prompt_tokens, t.tokens, t.finish, t.complete, r.policy, "
        "t.tokens = 0 OR b.logprob IS NOT NULL, t.tokens = 0 OR b.entropy IS NOT NULL "
        "FROM trace t JOIN run r ON r.id = t.run_id JOIN problem p ON p.id = t.problem_id "
        "LEFT JOIN trace_block b ON b.trace_id = t.id AND b.block = 0 WHERE 1";
    if (filter.complete_only) query += " AND t.complete = 1";
    const auto conditions = conditions_of(filter);
    for (const Condition& condition : conditions) {
      if (!condition.value->has_value()) continue;
      query += condition.prefix ? fmt::format(" AND substr({0}, 1, length(?)) = ?", condition.column)
                                : fmt::format(" AND {} = ?", condition.column);
    }
    SQLite::Statement row(store.database(),
                          query + " ORDER BY t.run_id, p.problem_set, t.problem_id, t.repeat");
    int index = 0;
    for (const Condition& condition : conditions) {
      if (!condition.value->has_value()) continue;
      if (condition.prefix) row.bind(++index, **condition.value);
      row.bind(++index, **condition.value);
    }
    std::vector<TraceInfo> traces;
    while (row.executeStep()) {
      const bool selected = !filter.policy || policy_matches(row.getColumn(15).getString(), *filter.policy);
      if (selected) traces.push_back(info_from(row));
    }
    return traces;
  });
}

bool has_complete_trace(const Store& store, const std::string& uid) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement find(store.database(), "SELECT 1 FROM trace WHERE uid = ? AND complete = 1");
    find.bind(1, uid);
    return find.executeStep();
  });
}

TraceTokens read_tokens(const Store& store, TraceKey trace) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement find(store.database(), "SELECT uid, prompt_ids, tokens FROM trace WHERE id = ?");
    find.bind(1, static_cast<std::int64_t>(trace));
    if (!find.executeStep())
      throw Error(ErrorCode::kNotFound, fmt::format("{}: no such trace", store.path().string()));
    const std::string where =
        fmt::format("{}: trace {}", store.path().string(), find.getColumn(0).getString());
    TraceTokens tokens;
    try {
      decode_ids(find.getColumn(1).getString(), tokens.prompt_ids);
    } catch (const Error& error) {
      throw Error(ErrorCode::kCorrupt, fmt::format("{}, prompt: {}", where, error.what()));
    }
    read_trace_blocks(store, trace, where, tokens);
    const auto stored = find.getColumn(2).getInt64();
    if (static_cast<std::int64_t>(tokens.ids.size()) != stored) {
      throw Error(ErrorCode::kCorrupt, fmt::format("{} should have {} tokens, and its blocks hold {}", where,
                                                   stored, tokens.ids.size()));
    }
    return tokens;
  });
}

std::vector<std::string> check_store(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    std::vector<std::string> problems;
    SQLite::Statement integrity(store.database(), "PRAGMA integrity_check");
    while (integrity.executeStep()) {
      const std::string line = integrity.getColumn(0).getString();
      if (line != "ok")
        problems.push_back(fmt::format("{}: integrity_check: {}", store.path().string(), line));
    }
    SQLite::Statement dangling(store.database(), "PRAGMA foreign_key_check");
    while (dangling.executeStep()) {
      problems.push_back(fmt::format("{}: a row of table {} refers to a missing row of {}",
                                     store.path().string(), dangling.getColumn(0).getString(),
                                     dangling.getColumn(2).getString()));
    }
    TraceFilter all;
    all.complete_only = false;
    for (const TraceInfo& trace : list_traces(store, all)) {
      try {
        static_cast<void>(read_tokens(store, trace.key));
      } catch (const Error& error) {
        problems.emplace_back(error.what());
      }
    }
    return problems;
  });
}

}  // namespace lil::schemas
