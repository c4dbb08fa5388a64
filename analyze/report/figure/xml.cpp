#include "analyze/report/figure/xml.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace lil::analyze::figure {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// The bytes that may follow the lead: how many, and the range of the first of them.
struct Lead {
  int more = -1;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {0};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {1};
  if (byte < 0xF0)
    return {2, std::uint8_t(byte == 0xE0 ? 0xA0 : 0x80), std::uint8_t(byte == 0xED ? 0x9F : 0xBF)};
  if (byte < 0xF5)
    return {3, std::uint8_t(byte == 0xF0 ? 0x90 : 0x80), std::uint8_t(byte == 0xF4 ? 0x8F : 0xBF)};
  return {};
}

/// One code point at `at`, which moves past it, or past a maximal wrong piece.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = static_cast<std::uint8_t>(text[at++]);
  const Lead lead = lead_of(byte);
  if (lead.more < 0) return kReplacement;
  if (lead.more == 0) return byte;
  constexpr int kBits = 6;
  char32_t point = byte & (0x3FU >> static_cast<unsigned>(lead.more));
  for (int i = 0; i < lead.more; ++i) {
    if (at == text.size()) return kReplacement;
    const auto next = static_cast<std::uint8_t>(text[at]);
    if (next < (i == 0 ? lead.low : 0x80) || next > (i == 0 ? lead.high : 0xBF)) return kReplacement;
    point = (point << kBits) | (next & 0x3FU);
    ++at;
  }
  return point;
}

bool is_dropped(char32_t point) {
  const bool control = (point < 0x20 && point != '\t' && point != '\n') || (point >= 0x7F && point < 0xA0);
  return control || point == 0xFFFE || point == 0xFFFF;
}

void append_utf8(std::string& out, char32_t point) {
  const auto add = [&](char32_t byte) { out += static_cast<char>(static_cast<std::uint8_t>(byte)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xC0 | (point >> 6));
    add(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    add(0xE0 | (point >> 12));
    add(0x80 | ((point >> 6) & 0x3F));
    add(0x80 | (point & 0x3F));
  } else {
    add(0xF0 | (point >> 18));
    add(0x80 | ((point >> 12) & 0x3F));
    add(0x80 | ((point >> 6) & 0x3F));
    add(0x80 | (point & 0x3F));
  }
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::string xml_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = next_code_point(text, at);
    switch (point) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (!is_dropped(point)) append_utf8(out, point);
    }
  }
  return out;
}

std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size();) points += next_code_point(text, at);
  return points;
}

std::string url_component(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<std::uint8_t>(c));
  }
  return out;
}

std::string slug(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c)) {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
    if (out.size() == kLongest) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "x" : out;
}

}  // namespace lil::analyze::figure
