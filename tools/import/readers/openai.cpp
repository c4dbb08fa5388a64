#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "schemas/error.h"
#include "tools/import/gold_answer.h"
#include "tools/import/json_value.h"
#include "tools/import/log_fields.h"
#include "tools/import/log_reader.h"

namespace lil::tools {
namespace {

constexpr std::string_view kThinkStart = "<think>";
constexpr std::string_view kThinkEnd = "</think>";
constexpr int kFirstErrorStatus = 400;

/// The completion body of a batch line or of a bare record, or null.
const rapidjson::Value* body_of(const rapidjson::Value& record) {
  if (const rapidjson::Value* response = object_member(record, "response")) {
    const rapidjson::Value* body = object_member(*response, "body");
    return body != nullptr ? body : response;
  }
  return member(record, "choices") != nullptr ? &record : nullptr;
}

/// What was asked for, where the line has it: under `request` (perhaps in its `body`), under `body`, or
/// in the record itself; or null.
const rapidjson::Value* request_of(const rapidjson::Value& record) {
  const rapidjson::Value* request = object_member(record, "request");
  if (request != nullptr) {
    const rapidjson::Value* body = object_member(*request, "body");
    return body != nullptr ? body : request;
  }
  if (const rapidjson::Value* body = object_member(record, "body")) return body;
  const bool inside = member(record, "messages") != nullptr || member(record, "prompt") != nullptr;
  return inside ? &record : nullptr;
}

std::string message_of(const rapidjson::Value& error) {
  if (auto message = string_member(error, "message")) return *std::move(message);
  return text_of(error).value_or("no message");
}

/// Why the log itself says that there is no generation; empty where it does not.
std::string failure_of(const rapidjson::Value& record) {
  if (const rapidjson::Value* error = member(record, "error")) {
    return fmt::format("the log says that the request failed: {}", message_of(*error));
  }
  const rapidjson::Value* response = object_member(record, "response");
  if (response == nullptr) return "";
  const rapidjson::Value* body = object_member(*response, "body");
  if (body != nullptr && member(*body, "error") != nullptr) {
    return fmt::format("the log says that the request failed: {}", message_of(*member(*body, "error")));
  }
  const rapidjson::Value* status = member(*response, "status_code");
  if (status != nullptr && status->IsInt() && status->GetInt() >= kFirstErrorStatus) {
    return fmt::format("the log says that the request failed with status {}", status->GetInt());
  }
  return "";
}

/// A message's content: a string, or the texts of its parts joined.
std::string content_text(const rapidjson::Value* content) {
  if (content == nullptr) return "";
  if (content->IsString()) return {content->GetString(), content->GetStringLength()};
  if (!content->IsArray()) {
    throw Error(ErrorCode::kInput,
                fmt::format("a message's content is {}, where a text is expected", type_name(*content)));
  }
  std::string text;
  for (const rapidjson::Value& part : content->GetArray()) text += string_member(part, "text").value_or("");
  return text;
}

std::string last_user_message(const rapidjson::Value& messages) {
  if (!messages.IsArray()) return "";
  for (rapidjson::SizeType i = messages.Size(); i-- > 0;) {
    if (string_member(messages[i], "role") == "user") return content_text(member(messages[i], "content"));
  }
  return "";
}

/// Reasoning and content as the model emitted them. The reasoning parsers of vLLM cut the output at the
/// two tags and keep every other byte, and give null as content where nothing follows or the closing tag
/// never came; so the tags go back in bare, the closing one only where content follows. Whether the
/// opening tag was the model's or its template's the log does not say: it is taken to be the model's.
void join_message(const rapidjson::Value& message, LogRecord& log) {
  std::string content = content_text(member(message, "content"));
  auto reasoning = string_member(message, "reasoning_content");
  if (!reasoning) reasoning = string_member(message, "reasoning");
  if (!reasoning || reasoning->empty()) {
    log.output = std::move(content);
    return;
  }
  log.joined = true;
  log.output = fmt::format("{}{}", kThinkStart, *reasoning);
  if (!content.empty()) log.output += fmt::format("{}{}", kThinkEnd, content);
}

void add_request(const FieldMap& fields, const rapidjson::Value& request, LogRecord& log) {
  if (const rapidjson::Value* messages = member(request, "messages"))
    log.problem = last_user_message(*messages);
  if (const rapidjson::Value* prompt = member(request, "prompt")) {
    if (prompt->IsArray() && !prompt->Empty() && (*prompt)[0].IsInt()) {
      log.prompt_ids = ids_of(*prompt, "prompt");
    } else {
      log.prompt = text_of(*prompt).value_or("");
    }
  }
  if (log.run.model.empty()) log.run.model = string_member(request, "model").value_or("");
  add_sampling(fields, request, log.run);
}

/// Gold answer and problem id that whoever sent the request put into its metadata.
void add_metadata(const FieldMap& fields, const rapidjson::Value* owner, LogRecord& log) {
  const rapidjson::Value* metadata = owner == nullptr ? nullptr : object_member(*owner, "metadata");
  if (metadata == nullptr) return;
  if (log.gold.empty()) log.gold = gold_of(field_text(fields, *metadata, Field::kGold));
  if (log.problem_id.empty()) log.problem_id = field_text(fields, *metadata, Field::kId);
  if (const std::string problem = field_text(fields, *metadata, Field::kProblem); !problem.empty()) {
    log.problem = problem;
  }
}

/// Batch lines (`custom_id`, `response.body`) and bare bodies of chat and text completions.
class OpenaiReader : public LogReader {
 public:
  explicit OpenaiReader(const FieldMap& fields) : fields_(fields) {}

  [[nodiscard]] Fit fit(const rapidjson::Value& record) const override {
    const rapidjson::Value* body = body_of(record);
    const rapidjson::Value* choices = body == nullptr ? nullptr : member(*body, "choices");
    if (choices != nullptr && choices->IsArray()) return Fit::kExact;
    const bool batch_line = member(record, "custom_id") != nullptr;
    return batch_line && !failure_of(record).empty() ? Fit::kExact : Fit::kNo;
  }

  [[nodiscard]] std::vector<LogRecord> read(const rapidjson::Value& record) const override {
    LogRecord shared = shared_by_choices(record);
    shared.failure = failure_of(record);
    if (!shared.failure.empty()) return {shared};
    const rapidjson::Value* body = body_of(record);
    const rapidjson::Value* choices = body == nullptr ? nullptr : member(*body, "choices");
    if (choices == nullptr || !choices->IsArray()) {
      throw Error(
          ErrorCode::kInput,
          fmt::format("the record has no 'choices', neither its own nor in 'response.body'; its keys are {}",
                      keys_of(record)));
    }
    std::vector<LogRecord> logs;
    for (const rapidjson::Value* choice : in_order(*choices)) {
      logs.push_back(shared);
      read_choice(*choice, logs.back());
    }
    return logs;
  }

 private:
  [[nodiscard]] LogRecord shared_by_choices(const rapidjson::Value& record) const {
    LogRecord log;
    log.problem_id = string_member(record, "custom_id").value_or("");
    const rapidjson::Value* body = body_of(record);
    const rapidjson::Value* request = request_of(record);
    if (body != nullptr) {
      log.run.model = string_member(*body, "model").value_or("");
      if (const rapidjson::Value* ids = member(*body, "prompt_token_ids")) {
        log.prompt_ids = ids_of(*ids, "prompt_token_ids");
      }
    }
    if (request != nullptr) add_request(fields_, *request, log);
    for (const rapidjson::Value* owner : {&record, request, body}) add_metadata(fields_, owner, log);
    return log;
  }

  /// The choices by their `index`, which is the number of the repeat.
  static std::vector<const rapidjson::Value*> in_order(const rapidjson::Value& choices) {
    std::vector<const rapidjson::Value*> sorted;
    for (const rapidjson::Value& choice : choices.GetArray()) sorted.push_back(&choice);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
      const auto index = [](const rapidjson::Value& choice) {
        const rapidjson::Value* value = member(choice, "index");
        return value == nullptr ? 0 : integer_of(*value).value_or(0);
      };
      return index(*left) < index(*right);
    });
    return sorted;
  }

  static void read_choice(const rapidjson::Value& choice, LogRecord& log) {
    if (const rapidjson::Value* ids = member(choice, "token_ids")) log.ids = ids_of(*ids, "token_ids");
    if (const rapidjson::Value* ids = member(choice, "prompt_token_ids")) {
      log.prompt_ids = ids_of(*ids, "prompt_token_ids");
    }
    if (const rapidjson::Value* finish = member(choice, "finish_reason")) log.finish = finish_of(*finish);
    if (const rapidjson::Value* message = object_member(choice, "message")) {
      join_message(*message, log);
    } else if (auto text = string_member(choice, "text")) {
      log.output = *std::move(text);
    } else if (!log.ids) {
      throw Error(ErrorCode::kInput, fmt::format("a choice has neither 'message' nor 'text'; its keys are {}",
                                                 choice.IsObject() ? keys_of(choice) : type_name(choice)));
    }
  }

  const FieldMap& fields_;
};

}  // namespace

std::unique_ptr<LogReader> make_openai_reader(const schemas::Arguments& /*arguments*/,
                                              const FieldMap& fields) {
  return std::make_unique<OpenaiReader>(fields);
}

}  // namespace lil::tools
