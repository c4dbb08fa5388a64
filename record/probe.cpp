#include "record/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "record/tokenizer/utf8.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::record {
namespace {

constexpr std::string_view kClosing = "closing=";

std::string default_closing(std::string_view template_text) {
  const bool thinks = template_text.find("<think>") != std::string_view::npos;
  return std::string(thinks ? "</think>" : "") + "\n\n\\boxed{";
}

/// `\n` stands for a line end and `\\` for a backslash, as `\\neq` for `\neq`; other backslashes are
/// themselves.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    const bool escape = text[at] == '\\' && (next == 'n' || next == '\\');
    if (escape) ++at;
    plain += escape && next == 'n' ? '\n' : text[at];
  }
  return plain;
}

/// Bytes that are no UTF-8, such as half a character, become the replacement character.
std::string as_utf8(std::string_view bytes) {
  std::string text;
  for_each_stretch(bytes, [&](std::string_view stretch, bool is_valid) {
    text += is_valid ? stretch : std::string_view("\xef\xbf\xbd");
  });
  return text;
}

}  // namespace

ProbeOptions parse_probe_options(const std::string& text, std::string_view template_text) {
  using schemas::Parameter;
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  std::size_t end = text.size();
  ProbeOptions options;
  options.closing = default_closing(template_text);
  const std::size_t closing = text.starts_with(kClosing) ? 0 : text.find("," + std::string(kClosing));
  if (closing != std::string::npos) {
    options.closing = unescaped(text.substr(text.find('=', closing) + 1));
    end = closing;
  }
  if (text.find('=') == std::string::npos) {
    throw Error(ErrorCode::kUsage,
                fmt::format("probes: '{}' is not of the form every=N[,tokens=32][,closing=TEXT]", text));
  }
  const auto arguments = schemas::resolve_arguments(
      "option", schemas::parse_named_spec("probe-answers(" + text.substr(0, end) + ")"),
      {{"every", Parameter::Type::kInteger, "", 1, kMost, {}, "generated tokens from one probe to the next"},
       {"tokens", Parameter::Type::kInteger, "32", 1, kMost, {}, "most tokens of an answer"}});
  options.every_tokens = arguments.integer("every");
  options.most_tokens = arguments.integer("tokens");
  return options;
}

ProbeAnswer::ProbeAnswer(const ProbeOptions& options, std::int64_t token,
                         const schemas::Vocabulary& vocabulary)
    : vocabulary_(&vocabulary), most_tokens_(options.most_tokens) {
  probe_.token = token;
  probe_.closing = options.closing;
  static_cast<void>(add_text(options.closing));
  bytes_.clear();
}

bool ProbeAnswer::add(schemas::TokenId id, bool ends) {
  const auto& token = vocabulary_->token(id);
  probe_.ids.push_back(id);
  const bool closed = !ends && !token.special && add_text(token.bytes);
  probe_.text = as_utf8(bytes_);
  if (closed) probe_.finish = schemas::ProbeFinish::kClosed;
  if (ends) probe_.finish = schemas::ProbeFinish::kStop;
  return closed || ends || static_cast<std::int64_t>(probe_.ids.size()) == most_tokens_;
}

/// True where the brace that was opened last before the answer closes in `bytes`; what follows is left out.
bool ProbeAnswer::add_text(std::string_view bytes) {
  for (const char c : bytes) {
    const bool literal = escaped_;
    escaped_ = !literal && c == '\\';
    if (!literal && c == '{') ++open_braces_;
    if (!literal && c == '}' && open_braces_ > 0 && --open_braces_ == 0) return true;
    bytes_ += c;
  }
  return false;
}

}  // namespace lil::record
