#include "record/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "record/tokenizer/utf8.h"

namespace lil::record {
namespace {

/// Lead byte of U+0300, the first character that composition can change or join to the one before it.
constexpr unsigned char kFirstCombiningLead = 0xCC;

bool may_compose(char byte) {
  return static_cast<unsigned char>(byte) >= kFirstCombiningLead;
}
bool is_lead(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80;
}

void append_composed(std::string_view valid, std::string& out) {
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(valid.data()), static_cast<utf8proc_ssize_t>(valid.size()),
      &composed, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (length < 0) throw std::bad_alloc();  // the one failure there is for well-formed text
  out.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(length));
}

/// Only the runs of characters from U+0300 on, each with the one character before it, go through the library:
/// the others are composed already and join to nothing before them.
void compose_stretch(std::string_view text, std::string& out) {
  std::size_t done = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!may_compose(text[at])) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    while (begin > done && !is_lead(text[--begin])) {
    }
    std::size_t end = at;
    while (end < text.size() && (may_compose(text[end]) || !is_lead(text[end]))) ++end;
    out += text.substr(done, begin - done);
    append_composed(text.substr(begin, end - begin), out);
    done = at = end;
  }
  out += text.substr(done);
}

std::string composed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_stretch(text, [&](std::string_view stretch, bool valid) {
    if (valid) {
      compose_stretch(stretch, out);
    } else {
      out += stretch;
    }
  });
  return out;
}

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find(what, done)) != std::string_view::npos; done = at + what.size()) {
    out += text.substr(done, at - done);
    out += with;
  }
  out += text.substr(done);
  return out;
}

bool needs_composition(std::string_view text) {
  for (const char byte : text) {
    if (may_compose(byte)) return true;
  }
  return false;
}

}  // namespace

std::string_view Normalizer::apply(std::string_view text, std::string& buffer) const {
  for (const Step& step : steps_) {
    if (step.kind == Step::Kind::kCompose) {
      if (!needs_composition(text)) continue;
      buffer = composed(text);
    } else if (step.kind == Step::Kind::kPrepend) {
      if (text.empty()) continue;
      buffer = step.with + std::string(text);
    } else {
      buffer = replaced(text, step.what, step.with);
    }
    text = buffer;
  }
  return text;
}

std::string Normalizer::undo_replacements(std::string spelling) const {
  // std::views::reverse is beyond clang-tidy 14.
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {  // NOLINT(modernize-loop-convert)
    if (step->kind == Step::Kind::kReplace) spelling = replaced(spelling, step->with, step->what);
  }
  return spelling;
}

}  // namespace lil::record
