#include "schemas/trace.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "schemas/error.h"

namespace lil::schemas {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, const char*>, N>;

constexpr Names<AnswerKind, 5> kKinds{{{AnswerKind::kNumber, "number"},
                                       {AnswerKind::kMath, "math"},
                                       {AnswerKind::kChoice, "choice"},
                                       {AnswerKind::kText, "text"},
                                       {AnswerKind::kNone, "none"}}};
constexpr Names<Finish, 5> kFinishes{{{Finish::kStop, "stop"},
                                      {Finish::kLength, "length"},
                                      {Finish::kGuardian, "guardian"},
                                      {Finish::kPartial, "partial"},
                                      {Finish::kError, "error"}}};

template <class Enum, std::size_t N>
const char* name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "";
}

template <class Enum, std::size_t N>
Enum value_of(const Names<Enum, N>& names, std::string_view what, const std::string& text) {
  std::string known;
  for (const auto& [value, name] : names) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorCode::kInput, fmt::format("unknown {} '{}'; known are: {}", what, text, known));
}

}  // namespace

const char* to_string(AnswerKind kind) {
  return name_of(kKinds, kind);
}
const char* to_string(Finish finish) {
  return name_of(kFinishes, finish);
}
const char* to_string(TokenSource source) {
  return source == TokenSource::kRecorded ? "recorded" : "retokenized";
}
AnswerKind answer_kind_from(const std::string& name) {
  return value_of(kKinds, "answer kind", name);
}
Finish finish_from(const std::string& name) {
  return value_of(kFinishes, "finish reason", name);
}

}  // namespace lil::schemas
