#include "schemas/answer_store.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include "schemas/sqlite_error.h"

namespace lil::schemas {

void put_answers(Store& store, TraceKey trace, const std::string& extractor,
                 const std::vector<AnswerEvent>& events) {
  with_sqlite_errors(store.path(), [&] {
    Transaction transaction(store);
    SQLite::Statement remove(store.database(),
                             "DELETE FROM answer_event WHERE trace_id = ? AND extractor = ?");
    remove.bind(1, static_cast<std::int64_t>(trace));
    remove.bind(2, extractor);
    remove.exec();
    SQLite::Statement insert(
        store.database(),
        "INSERT INTO answer_event (trace_id, extractor, token, answer, verdict) VALUES (?, ?, ?, "
        "?, ?)");
    for (const AnswerEvent& event : events) {
      insert.bind(1, static_cast<std::int64_t>(trace));
      insert.bind(2, extractor);
      insert.bind(3, event.token);
      insert.bind(4, event.answer);
      insert.bind(5, event.verdict);
      insert.exec();
      insert.reset();
    }
    transaction.commit();
  });
}

std::optional<std::vector<AnswerEvent>> read_answers(const Store& store, TraceKey trace,
                                                     const std::string& extractor) {
  return with_sqlite_errors(store.path(), [&]() -> std::optional<std::vector<AnswerEvent>> {
    SQLite::Statement row(
        store.database(),
        "SELECT token, answer, verdict FROM answer_event WHERE trace_id = ? AND extractor = ? ORDER "
        "BY token");
    row.bind(1, static_cast<std::int64_t>(trace));
    row.bind(2, extractor);
    std::vector<AnswerEvent> events;
    while (row.executeStep()) {
      events.push_back(
          {row.getColumn(0).getInt64(), row.getColumn(1).getString(), row.getColumn(2).getString()});
    }
    if (events.empty()) return std::nullopt;
    return events;
  });
}

std::vector<std::string> list_extractors(const Store& store) {
  return with_sqlite_errors(store.path(), [&] {
    SQLite::Statement row(store.database(), "SELECT DISTINCT extractor FROM answer_event ORDER BY extractor");
    std::vector<std::string> extractors;
    while (row.executeStep()) extractors.push_back(row.getColumn(0).getString());
    return extractors;
  });
}

}  // namespace lil::schemas
