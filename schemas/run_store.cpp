#include "schemas/run_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <zstd.h>

#include "schemas/error.h"
#include "schemas/sha256.h"
#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

std::string compress(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 9);
  if (ZSTD_isError(size) != 0)
    throw Error(ErrorCode::kEnvironment, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

std::string decompress(std::string_view bytes) {
  constexpr unsigned long long kMostBytes = 1ULL << 30;
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size >= kMostBytes) throw Error(ErrorCode::kCorrupt, "the vocabulary is no zstd frame");
  std::string out(size, '\0');
  const std::size_t written = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (written != size) throw Error(ErrorCode::kCorrupt, "the vocabulary's zstd frame is damaged");
  return out;
}

std::optional<std::int64_t> find_id(const Store& store, const std::string& table,
                                    const std::string& uid_column, const std::string& uid) {
  SQLite::Statement find(store.database(), fmt::format("SELECT id FROM {} WHERE {} = ?", table, uid_column));
  find.bind(1, uid);
  if (!find.executeStep()) return std::nullopt;
  return find.getColumn(0).getInt64();
}

void bind_run(SQLite::Statement& insert, const RunRecord& run) {
  int column = 0;
  for (const std::string* text :
       {&run.uid, &run.created, &run.tool_version, &run.host, &run.device, &run.dtype, &run.model,
        &run.weights_sha256, &run.policy, &run.sampler, &run.stop_rule, &run.prompt_template,
        &run.problem_set, &run.problem_set_sha256, &run.configuration, &run.source, &run.status}) {
    insert.bind(++column, *text);
  }
  insert.bind(++column, static_cast<std::int64_t>(run.tokenizer));
  insert.bind(++column, run.seed);
  if (run.cap_tokens) {
    insert.bind(++column, *run.cap_tokens);
  } else {
    insert.bind(++column);
  }
}

constexpr const char* kRunColumns =
    "uid, created, tool_version, host, device, dtype, model, weights_sha256, policy, sampler, stop_rule, "
    "template, "
    "problem_set, problem_set_sha256, configuration, source, status, tokenizer_id, seed, cap_tokens";

StoredRun run_from(SQLite::Statement& row) {
  StoredRun run;
  RunRecord& record = run.record;
  run.key = RunKey{row.getColumn(0).getInt64()};
  int column = 0;
  for (std::string* text :
       {&record.uid, &record.created, &record.tool_version, &record.host, &record.device, &record.dtype,
        &record.model, &record.weights_sha256, &record.policy, &record.sampler, &record.stop_rule,
        &record.prompt_template, &record.problem_set, &record.problem_set_sha256, &record.configuration,
        &record.source, &record.status}) {
    *text = row.getColumn(++column).getString();
  }
  record.tokenizer = TokenizerKey{row.getColumn(++column).getInt64()};
  record.seed = row.getColumn(++column).getInt64();
  ++column;
  if (!row.getColumn(column).isNull()) record.cap_tokens = row.getColumn(column).getInt64();
  return run;
}

}  // namespace

std::string run_uid(const std::string& configuration) {
  return sha256_hex(configuration).substr(0, 16);
}

TokenizerKey put_tokenizer(Store& store, const Vocabulary& vocabulary) {
  const std::string serialized = vocabulary.serialize();
  const std::string sha256 = sha256_hex(vocabulary.kind() + "\n" + serialized);
  return with_sqlite_errors(store.path(), [&] {
    if (const auto id = find_id(store, "tokenizer", "sha256", sha256)) return TokenizerKey{*id};
    const std::string tokens = compress(serialized);
    SQLite::Statement insert(store.database(),
                             "INSERT INTO tokenizer (sha256, kind, size, tokens) VALUES (?, ?, ?, ?)");
    insert.bind(1, sha256);
    insert.bind(2, vocabulary.kind());
    insert.bind(3, vocabulary.size());
    insert.bind(4, tokens.data(), static_cast<int>(tokens.size()));
    insert.exec();
    return TokenizerKey{store.database().getLastInsertRowid()};
  });
}

RunKey put_run(Store& store, const RunRecord& run) {
  return with_sqlite_errors(store.path(), [&] {
    if (const auto id = find_id(store, "run", "uid", run.uid)) return RunKey{*id};
    SQLite::Statement insert(
        store.database(),
        fmt::format("INSERT INTO run ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kRunColumns));
    bind_run(insert, run);
    insert.exec();
    return RunKey{store.database().getLastInsertRowid()};
  });
}

void set_run_status(Store& store, RunKey run, const std::string& status) {
  with_sqlite_errors(store.path(), [&] {
    SQLite::Statement update(store.database(), "UPDATE run SET status = ? WHERE id = ? AND status <> ?");
    update.bind(1, status);
    update.bind(2, static_cast<std::int64_t>(run));
    update.bind(3, status);
    update.exec();
  });
}

ProblemKey put_problem(Store& store, const Problem& problem) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement find(store.database(),
                           "SELECT id, text, gold FROM problem WHERE problem_set = ? AND external_id = ?");
    find.bind(1, problem.set);
    find.bind(2, problem.id);
    if (find.executeStep()) {
      for (const auto& [column, name, ours] :
           {std::tuple{1, "text", &problem.text}, std::tuple{2, "gold answer", &problem.gold}}) {
        if (find.getColumn(column).getString() != *ours) {
          throw Error(
              ErrorCode::kConflict,
              fmt::format("{}: problem '{}' of set '{}' is there already with another {}; give this set "
                          "another name",
                          store.path().string(), problem.id, problem.set, name));
        }
      }
      return ProblemKey{find.getColumn(0).getInt64()};
    }
    SQLite::Statement insert(
        store.database(),
        "INSERT INTO problem (problem_set, external_id, text, gold, kind) VALUES (?, ?, ?, ?, ?)");
    insert.bind(1, problem.set);
    insert.bind(2, problem.id);
    insert.bind(3, problem.text);
    insert.bind(4, problem.gold);
    insert.bind(5, to_string(problem.kind));
    insert.exec();
    return ProblemKey{store.database().getLastInsertRowid()};
  });
}

void put_failure(Store& store, const Failure& failure) {
  with_sqlite_errors(store.path(), [&] {
    // NULLs are all different to UNIQUE, so that failures without a run need the look first.
    SQLite::Statement insert(
        store.database(),
        "INSERT INTO failure (run_id, subject, stage, message) SELECT ?1, ?2, ?3, ?4 WHERE NOT "
        "EXISTS (SELECT 1 FROM failure WHERE run_id IS ?1 AND subject = ?2 AND stage = ?3 AND "
        "message = ?4)");
    if (failure.run) {
      insert.bind(1, static_cast<std::int64_t>(*failure.run));
    } else {
      insert.bind(1);
    }
    insert.bind(2, failure.subject);
    insert.bind(3, failure.stage);
    insert.bind(4, failure.message);
    insert.exec();
  });
}

std::vector<StoredRun> list_runs(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    std::vector<StoredRun> runs;
    SQLite::Statement row(store.database(), fmt::format("SELECT id, {} FROM run ORDER BY id", kRunColumns));
    while (row.executeStep()) runs.push_back(run_from(row));
    return runs;
  });
}

std::vector<Failure> list_failures(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    std::vector<Failure> failures;
    SQLite::Statement row(store.database(),
                          "SELECT run_id, subject, stage, message FROM failure ORDER BY id");
    while (row.executeStep()) {
      Failure failure;
      if (!row.getColumn(0).isNull()) failure.run = RunKey{row.getColumn(0).getInt64()};
      failure.subject = row.getColumn(1).getString();
      failure.stage = row.getColumn(2).getString();
      failure.message = row.getColumn(3).getString();
      failures.push_back(std::move(failure));
    }
    return failures;
  });
}

Problem read_problem(const Store& store, ProblemKey problem) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(),
                          "SELECT problem_set, external_id, text, gold, kind FROM problem WHERE id = ?");
    row.bind(1, static_cast<std::int64_t>(problem));
    if (!row.executeStep())
      throw Error(ErrorCode::kNotFound, fmt::format("{}: no such problem", store.path().string()));
    return Problem{row.getColumn(0).getString(), row.getColumn(1).getString(), row.getColumn(2).getString(),
                   row.getColumn(3).getString(), answer_kind_from(row.getColumn(4).getString())};
  });
}

Vocabulary read_vocabulary(const Store& store, TokenizerKey tokenizer) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(), "SELECT kind, tokens, sha256 FROM tokenizer WHERE id = ?");
    row.bind(1, static_cast<std::int64_t>(tokenizer));
    if (!row.executeStep()) {
      throw Error(ErrorCode::kNotFound, fmt::format("{}: no such tokenizer", store.path().string()));
    }
    const std::string kind = row.getColumn(0).getString();
    const std::string serialized = decompress(row.getColumn(1).getString());
    if (sha256_hex(kind + "\n" + serialized) != row.getColumn(2).getString()) {
      throw Error(ErrorCode::kCorrupt,
                  fmt::format("{}: tokenizer {} does not have its SHA-256", store.path().string(),
                              static_cast<std::int64_t>(tokenizer)));
    }
    return Vocabulary::parse(kind, serialized);
  });
}

const Vocabulary& Vocabularies::get(TokenizerKey tokenizer) {
  auto found = read_.find(tokenizer);
  if (found == read_.end()) found = read_.emplace(tokenizer, read_vocabulary(store_, tokenizer)).first;
  return found->second;
}

}  // namespace lil::schemas
