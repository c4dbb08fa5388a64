#include "tools/import/choose_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "schemas/error.h"
#include "tools/import/json_records.h"
#include "tools/import/json_value.h"

namespace lil::tools {
namespace {

constexpr int kSampleRecords = 16;

struct Candidate {
  ChosenReader chosen;
  Fit fit = Fit::kNo;
  std::string first_error;  ///< what the reader says of the first record
};

struct Sample {
  int records = 0;
  std::string first_keys;
  std::int64_t first_line = 0;
  std::optional<BadRecord> first_bad;
  std::vector<Field> missing;  ///< fields that were given and that no record has
};

bool is_of_one_generation(Field field) {
  return field == Field::kOutput || field == Field::kIds || field == Field::kPromptIds ||
         field == Field::kFinish || field == Field::kRepeat;
}

std::vector<Candidate> candidates_for(const std::string& format, const FieldMap& fields) {
  const std::vector<Field> given = fields.given();
  const auto generation_field = std::find_if(given.begin(), given.end(), is_of_one_generation);
  std::vector<Candidate> candidates;
  const auto add = [&](const auto& row, const schemas::Arguments& arguments) {
    candidates.push_back({{row.name, row.make(arguments, fields)}, Fit::kNo, ""});
    return candidates.back().chosen.reader->takes_generation_fields() || generation_field == given.end();
  };
  if (!format.empty()) {
    const auto [row, arguments] = schemas::resolve_row("format", log_readers(), format);
    if (!add(*row, arguments)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("format {} knows where {} stands: --field {} goes with other formats",
                              row->name, to_string(*generation_field), to_string(*generation_field)));
    }
    return candidates;
  }
  for (const auto& row : log_readers()) {
    if (!add(row, schemas::resolve_arguments("format", {row.name, {}}, row.parameters)))
      candidates.pop_back();
  }
  return candidates;
}

void look_at(const JsonRecord& record, const FieldMap& fields, Sample& sample,
             std::vector<Candidate>& candidates) {
  if (sample.records++ == 0) {
    sample.first_keys = keys_of(*record.value);
    sample.first_line = record.line;
    for (Candidate& candidate : candidates) {
      try {
        static_cast<void>(candidate.chosen.reader->read(*record.value));
      } catch (const Error& error) {
        candidate.first_error = error.what();
      }
    }
  }
  for (Candidate& candidate : candidates) {
    candidate.fit = std::max(candidate.fit, candidate.chosen.reader->fit(*record.value));
  }
  const auto is_there = [&](Field field) { return fields.find(*record.value, field) != nullptr; };
  sample.missing.erase(std::remove_if(sample.missing.begin(), sample.missing.end(), is_there),
                       sample.missing.end());
}

Sample take_sample(const InputFile& file, const FieldMap& fields, std::vector<Candidate>& candidates) {
  Sample sample;
  sample.missing = fields.given();
  int bad_records = 0;
  JsonRecordReader records(file.reader(), [&](const BadRecord& bad) {
    if (bad_records++ == 0) sample.first_bad = bad;
  });
  while (sample.records < kSampleRecords) {
    const JsonRecord* record = records.next();
    if (record == nullptr) break;
    look_at(*record, fields, sample, candidates);
  }
  return sample;
}

void require_records_with_fields(const InputFile& file, const FieldMap& fields, const Sample& sample) {
  if (sample.records == 0) {
    const std::string first = sample.first_bad
                                  ? fmt::format(" (line {}, column {}: {})", sample.first_bad->line,
                                                sample.first_bad->column, sample.first_bad->reason)
                                  : "";
    throw Error(ErrorCode::kInput, fmt::format("{} holds no JSON record{}", file.path(), first));
  }
  if (!sample.missing.empty()) {
    const Field field = sample.missing.front();
    throw Error(
        ErrorCode::kUsage,
        fmt::format("{}: none of its first {} records has {}, which --field {} names; their keys are {}",
                    file.path(), sample.records, fields.tried(field), to_string(field), sample.first_keys));
  }
}

[[noreturn]] void throw_nothing_fits(const InputFile& file, const Sample& sample) {
  std::string known;
  for (const auto& row : log_readers()) known += (known.empty() ? "" : ", ") + row.name;
  throw Error(
      ErrorCode::kInput,
      fmt::format("{}: no known format fits its first record (line {}), which has the keys {}; known are "
                  "{}: name one with --format, or say with --field output=KEY what holds the output",
                  file.path(), sample.first_line, sample.first_keys, known));
}

}  // namespace

ChosenReader choose_reader(const InputFile& file, const std::string& format, const FieldMap& fields) {
  std::vector<Candidate> candidates = candidates_for(format, fields);
  const Sample sample = take_sample(file, fields, candidates);
  require_records_with_fields(file, fields, sample);

  const auto better = [](const Candidate& left, const Candidate& right) { return left.fit < right.fit; };
  const auto best = std::max_element(candidates.begin(), candidates.end(), better);
  if (!format.empty()) {
    if (best->fit == Fit::kNo && !best->first_error.empty()) {
      throw Error(ErrorCode::kInput, fmt::format("{}:{}: not of format {}: {}", file.path(),
                                                 sample.first_line, best->chosen.name, best->first_error));
    }
    return std::move(best->chosen);
  }
  if (best->fit == Fit::kNo) throw_nothing_fits(file, sample);
  const auto other = std::find_if(std::next(best), candidates.end(),
                                  [&](const Candidate& candidate) { return candidate.fit == best->fit; });
  if (other != candidates.end()) {
    throw Error(ErrorCode::kInput,
                fmt::format("{} looks like format {} and like format {}: name one with --format", file.path(),
                            best->chosen.name, other->chosen.name));
  }
  return std::move(best->chosen);
}

}  // namespace lil::tools
