#include "record/tokenizer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <cctype>
#include <new>

#include "record/tokenizer/pattern_dialect.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE;
/// Far above what a sane pattern needs for a text of many megabytes; ends a runaway one within seconds.
constexpr std::uint32_t kMatchLimit = 200'000'000;
constexpr std::size_t kStackStart = 64UL << 10;
constexpr std::size_t kStackMost = 256UL << 20;

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

bool is_script(const std::string& name) {
  const std::string probe = "\\p{sc:" + name + "}";
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled = pcre2_compile(units(probe), probe.size(), kOptions, &code, &offset, nullptr);
  pcre2_code_free(compiled);
  return compiled != nullptr;
}

}  // namespace

struct Pattern::Matcher::State {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = nullptr;

  State() {
    if (data == nullptr || context == nullptr) throw std::bad_alloc();
    pcre2_set_match_limit(context, kMatchLimit);
  }
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Machine code runs on 32 KiB of the thread's own stack; only odd patterns ever need more.
  bool make_stack() {
    if (stack != nullptr) return false;
    stack = pcre2_jit_stack_create(kStackStart, kStackMost, nullptr);
    if (stack == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
    return true;
  }
};

Pattern::Matcher::Matcher() : state_(std::make_unique<State>()) {}
Pattern::Matcher::~Matcher() = default;

struct Pattern::Code {
  pcre2_code* compiled = nullptr;
  bool to_machine_code = false;
  std::string where;

  Code() = default;
  ~Code() { pcre2_code_free(compiled); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
};

Pattern::Pattern(std::string_view pattern, const std::string& where) : code_(std::make_unique<Code>()) {
  const std::string text = to_pcre2_dialect(pattern, where, is_script);
  int code = 0;
  PCRE2_SIZE offset = 0;
  code_->where = where;
  code_->compiled = pcre2_compile(units(text), text.size(), kOptions, &code, &offset, nullptr);
  if (code_->compiled == nullptr) {
    throw Error(ErrorCode::kInput, fmt::format("{}: the pattern '{}' is not a regular expression: {}", where,
                                               pattern, message_of(code)));
  }
  code_->to_machine_code = pcre2_jit_compile(code_->compiled, PCRE2_JIT_COMPLETE) == 0;
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

std::optional<Pattern::Match> Pattern::find(std::string_view subject, std::size_t from,
                                            Matcher& matcher) const {
  Matcher::State& state = *matcher.state_;
  const auto match = code_->to_machine_code ? pcre2_jit_match : pcre2_match;
  const std::uint32_t options = code_->to_machine_code ? 0 : PCRE2_NO_UTF_CHECK;
  int code = 0;
  do {
    code = match(code_->compiled, units(subject), subject.size(), from, options, state.data, state.context);
  } while (code == PCRE2_ERROR_JIT_STACKLIMIT && state.make_stack());
  if (code == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (code < 0) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}: matching the pattern failed at byte {} of a text of {} bytes: {}",
                            code_->where, from, subject.size(), message_of(code)));
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(state.data);
  return Match{bounds[0], bounds[1]};
}

std::string literal_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::ispunct(static_cast<unsigned char>(c)) != 0) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace lil::record
