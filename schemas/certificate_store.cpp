#include "schemas/certificate_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "schemas/sqlite_error.h"

namespace lil::schemas {
namespace {

constexpr const char* kColumns =
    "uid, run, problem_set, model, policy, sampler, signal, signal_version, stream, rule, risk, alpha, "
    "delta, "
    "p_value, problems, harms, gains, hypotheses, chains, cap_tokens, capped, finish_known, split_seed, "
    "data_sha256, document";

/// Hands every field to `take`, in the order of the columns.
template <class Record, class Take>
void for_each_field(Record& record, Take&& take) {
  for (auto* text :
       {&record.uid, &record.run, &record.problem_set, &record.model, &record.policy, &record.sampler,
        &record.signal, &record.signal_version, &record.stream, &record.rule, &record.risk}) {
    take(*text);
  }
  for (auto* number : {&record.alpha, &record.delta, &record.p_value}) take(*number);
  for (auto* count : {&record.problems, &record.harms, &record.gains, &record.hypotheses, &record.chains})
    take(*count);
  take(record.cap_tokens);
  for (auto* count : {&record.capped, &record.finish_known, &record.split_seed}) take(*count);
  take(record.data_sha256);
  take(record.document);
}

class Binder {
 public:
  explicit Binder(SQLite::Statement& statement) : statement_(statement) {}
  template <class Value>
  void operator()(const Value& value) {
    statement_.bind(++column_, value);
  }
  void operator()(const std::optional<std::int64_t>& value) {
    ++column_;
    if (value) statement_.bind(column_, *value);
  }

 private:
  SQLite::Statement& statement_;
  int column_ = 0;
};

class Reader {
 public:
  explicit Reader(SQLite::Statement& statement) : statement_(statement) {}
  void operator()(std::string& value) { value = statement_.getColumn(column_++).getString(); }
  void operator()(double& value) { value = statement_.getColumn(column_++).getDouble(); }
  void operator()(std::int64_t& value) { value = statement_.getColumn(column_++).getInt64(); }
  void operator()(std::optional<std::int64_t>& value) {
    const SQLite::Column column = statement_.getColumn(column_++);
    if (!column.isNull()) value = column.getInt64();
  }

 private:
  SQLite::Statement& statement_;
  int column_ = 0;
};

}  // namespace

void put_certificate(Store& store, const CertificateRecord& certificate) {
  with_sqlite_errors(store.path(), [&] {
    SQLite::Statement insert(store.database(),
                             fmt::format("INSERT OR REPLACE INTO certificate ({}) VALUES "
                                         "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                         kColumns));
    for_each_field(certificate, Binder(insert));
    insert.exec();
  });
}

std::vector<CertificateRecord> list_certificates(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(), fmt::format("SELECT {} FROM certificate ORDER BY id", kColumns));
    std::vector<CertificateRecord> certificates;
    while (row.executeStep()) for_each_field(certificates.emplace_back(), Reader(row));
    return certificates;
  });
}

}  // namespace lil::schemas
