#include "replay/online/lil_guardian.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "replay/guardian.h"

using lil::replay::Guardian;
using lil::replay::GuardianSpec;
using lil::replay::StreamKind;

struct lil_guardian {
  explicit lil_guardian(const GuardianSpec& parsed)
      : text(parsed.to_string()), stream(parsed.stream), guardian(parsed) {}

  enum class State { kWatching, kStopped, kFailed };

  std::string text;
  StreamKind stream;
  Guardian guardian;
  State state = State::kWatching;
  int64_t tokens = 0;
  std::string error;
};

namespace {

lil_decision fail(lil_guardian& guardian, std::string_view message) noexcept {
  guardian.state = lil_guardian::State::kFailed;
  try {
    guardian.error = message;
  } catch (const std::exception&) {
    guardian.error.clear();  // out of memory: the decision alone must do
  }
  return LIL_ERROR;
}

bool takes_ids(StreamKind stream) {
  return stream == StreamKind::kIds32 || stream == StreamKind::kPromptIds32;
}

std::string_view view_of(const void* bytes, size_t count) {
  return count == 0 ? std::string_view() : std::string_view(static_cast<const char*>(bytes), count);
}

lil_decision push(lil_guardian& guardian, std::string_view bytes) noexcept {
  if (guardian.state == lil_guardian::State::kStopped) {
    return fail(guardian, "the generation was stopped; start the next one first");
  }
  if (guardian.state == lil_guardian::State::kFailed) return LIL_ERROR;
  try {
    ++guardian.tokens;
    if (guardian.guardian.push(bytes) == Guardian::Decision::kGoOn) return LIL_GO_ON;
    guardian.state = lil_guardian::State::kStopped;
    return LIL_STOP;
  } catch (const std::exception& error) {
    return fail(guardian, error.what());
  }
}

void give_error(const char* message, char* error, size_t capacity) {
  if (error == nullptr || capacity == 0) return;
  const size_t length = std::min(std::strlen(message), capacity - 1);
  std::memcpy(error, message, length);
  error[length] = '\0';
}

}  // namespace

extern "C" {

lil_guardian* lil_guardian_new(const char* spec, char* error, size_t error_capacity) {
  try {
    return new lil_guardian(lil::replay::parse_guardian_spec(spec == nullptr ? "" : spec));
  } catch (const std::exception& refused) {
    give_error(refused.what(), error, error_capacity);
    return nullptr;
  }
}

void lil_guardian_free(lil_guardian* guardian) {
  delete guardian;
}

const char* lil_guardian_spec(const lil_guardian* guardian) {
  return guardian == nullptr ? "" : guardian->text.c_str();
}

lil_decision lil_guardian_start(lil_guardian* guardian, const void* prompt, size_t prompt_bytes) {
  if (guardian == nullptr) return LIL_ERROR;
  if (prompt == nullptr && prompt_bytes > 0) return fail(*guardian, "the prompt is NULL and has bytes");
  if (guardian->stream == StreamKind::kPromptIds32 && prompt_bytes % sizeof(int32_t) != 0) {
    return fail(*guardian, "the prompt of a stream of ids is 4 bytes an id");
  }
  try {
    guardian->guardian.start(has_prompt(guardian->stream) ? view_of(prompt, prompt_bytes)
                                                          : std::string_view());
    guardian->state = lil_guardian::State::kWatching;
    guardian->tokens = 0;
    guardian->error.clear();
    return LIL_GO_ON;
  } catch (const std::exception& error) {
    return fail(*guardian, error.what());
  }
}

lil_decision lil_guardian_push(lil_guardian* guardian, const void* bytes, size_t count) {
  if (guardian == nullptr) return LIL_ERROR;
  if (bytes == nullptr && count > 0) return fail(*guardian, "the token is NULL and has bytes");
  if (takes_ids(guardian->stream)) {
    return fail(*guardian, "this guardian watches token ids: push them with lil_guardian_push_id");
  }
  return push(*guardian, view_of(bytes, count));
}

lil_decision lil_guardian_push_id(lil_guardian* guardian, int32_t id) {
  if (guardian == nullptr) return LIL_ERROR;
  if (!takes_ids(guardian->stream)) {
    return fail(*guardian, "this guardian watches text: push its bytes with lil_guardian_push");
  }
  const auto bits = static_cast<uint32_t>(id);
  const std::array<char, 4> bytes = {static_cast<char>(bits), static_cast<char>(bits >> 8),
                                     static_cast<char>(bits >> 16), static_cast<char>(bits >> 24)};
  return push(*guardian, {bytes.data(), bytes.size()});
}

int64_t lil_guardian_tokens(const lil_guardian* guardian) {
  return guardian == nullptr ? 0 : guardian->tokens;
}

const char* lil_guardian_error(const lil_guardian* guardian) {
  return guardian == nullptr ? "the guardian is NULL" : guardian->error.c_str();
}

}  // extern "C"
