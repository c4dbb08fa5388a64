#include "analyze/latex_spelling.h"

#include <array>
#include <optional>

#include "analyze/answers/trim.h"

namespace lil::analyze {
namespace {

struct Spelling {
  std::string_view from;
  std::string_view to;
};

// A spelling that is the beginning of another comes after it.
constexpr std::array kSpellings = {
    Spelling{"\\dfrac", "\\frac"},
    Spelling{"\\tfrac", "\\frac"},
    Spelling{"\\cfrac", "\\frac"},
    Spelling{"\\textbf", "\\text"},
    Spelling{"\\textrm", "\\text"},
    Spelling{"\\textit", "\\text"},
    Spelling{"\\mathrm", "\\text"},
    Spelling{"\\mathbf", "\\text"},
    Spelling{"\\mathit", "\\text"},
    Spelling{"\\mbox", "\\text"},
    Spelling{"\\operatorname", "\\text"},
    Spelling{"\\left", ""},
    Spelling{"\\right", ""},
    Spelling{"\\displaystyle", ""},
    Spelling{"\\degrees", "^\\circ"},
    Spelling{"\\degree", "^\\circ"},
    Spelling{"^{\\circ}", "^\\circ"},
    Spelling{"\\%", "%"},
    Spelling{"\\$", "$"},
    Spelling{"{,}", ","},
    Spelling{"\\!", ""},
    Spelling{"\\,", ""},
    Spelling{"\\;", ""},
    Spelling{"\\:", ""},
    Spelling{"\\ ", " "},
    Spelling{"~", " "},
    Spelling{"\u2212", "-"},
    Spelling{"\u2013", "-"},
    Spelling{"\u00d7", "\\times"},
    Spelling{"\u00b7", "\\cdot"},
    Spelling{"\u22c5", "\\cdot"},
    Spelling{"\u00b0", "^\\circ"},
    Spelling{"\u00a0", " "},
    Spelling{"\u2009", " "},
    Spelling{"\u202f", " "},
    Spelling{"\u2044", "/"},
};

constexpr std::array kVulgarFractions = {
    VulgarFraction{"\u00bd", "1", "2"}, VulgarFraction{"\u2153", "1", "3"},
    VulgarFraction{"\u2154", "2", "3"}, VulgarFraction{"\u00bc", "1", "4"},
    VulgarFraction{"\u00be", "3", "4"}, VulgarFraction{"\u2155", "1", "5"},
    VulgarFraction{"\u2156", "2", "5"}, VulgarFraction{"\u2157", "3", "5"},
    VulgarFraction{"\u2158", "4", "5"}, VulgarFraction{"\u2159", "1", "6"},
    VulgarFraction{"\u215a", "5", "6"}, VulgarFraction{"\u2150", "1", "7"},
    VulgarFraction{"\u215b", "1", "8"}, VulgarFraction{"\u215c", "3", "8"},
    VulgarFraction{"\u215d", "5", "8"}, VulgarFraction{"\u215e", "7", "8"},
    VulgarFraction{"\u2151", "1", "9"}, VulgarFraction{"\u2152", "1", "10"},
};

/// The row whose `from` stands at `at`. A control word must end there: `\left` is no part of `\leftarrow`.
const Spelling* spelling_at(std::string_view text, std::size_t at) {
  for (const Spelling& spelling : kSpellings) {
    if (text.substr(at, spelling.from.size()) != spelling.from) continue;
    const std::size_t after = at + spelling.from.size();
    const bool word = spelling.from.front() == '\\' && is_letter(spelling.from.back());
    if (word && after < text.size() && is_letter(text[after])) continue;
    return &spelling;
  }
  return nullptr;
}

/// What `opening` and `closing` enclose, if they enclose all of `text` and neither stands within.
std::optional<std::string_view> inside(std::string_view text, std::string_view opening,
                                       std::string_view closing) {
  if (text.size() < opening.size() + closing.size() || text.substr(0, opening.size()) != opening ||
      text.substr(text.size() - closing.size()) != closing) {
    return std::nullopt;
  }
  text.remove_prefix(opening.size());
  text.remove_suffix(closing.size());
  const bool again =
      text.find(opening) != std::string_view::npos || text.find(closing) != std::string_view::npos;
  return again ? std::nullopt : std::optional(text);
}

/// What a brace right after `head` encloses, if that is the rest of `text`.
std::optional<std::string_view> inside_braces(std::string_view text, std::string_view head) {
  if (text.substr(0, head.size()) != head || text.size() <= head.size() || text[head.size()] != '{') {
    return std::nullopt;
  }
  if (closing_brace(text, head.size()) != text.size() - 1) return std::nullopt;
  return text.substr(head.size() + 1, text.size() - head.size() - 2);
}

std::optional<std::string_view> peel_once(std::string_view text) {
  if (!text.empty() && text.back() == '.') return text.substr(0, text.size() - 1);
  if (const auto all = inside(text, "$$", "$$")) return all;
  if (const auto all = inside(text, "$", "$")) return all;
  if (const auto all = inside(text, "\\(", "\\)")) return all;
  if (const auto all = inside(text, "\\[", "\\]")) return all;
  if (const auto all = inside(text, "**", "**")) return all;
  if (const auto all = inside_braces(text, "\\text")) return all;
  return inside_braces(text, "");
}

}  // namespace

const VulgarFraction* vulgar_fraction_at(std::string_view text) {
  for (const VulgarFraction& fraction : kVulgarFractions) {
    if (text.starts_with(fraction.character)) return &fraction;
  }
  return nullptr;
}

std::string even_spelling(std::string_view text) {
  std::string even;
  even.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (const VulgarFraction* fraction = vulgar_fraction_at(text.substr(at))) {
      even += "\\frac{" + std::string(fraction->above) + "}{" + std::string(fraction->below) + "}";
      at += fraction->character.size();
      continue;
    }
    const Spelling* spelling = spelling_at(text, at);
    if (spelling == nullptr) {
      const bool escape = text[at] == '\\' && at + 1 < text.size();
      even.append(text.substr(at, escape ? 2 : 1));  // `\\,` is a line break and a comma
      at += escape ? 2 : 1;
      continue;
    }
    even += spelling->to;
    at += spelling->from.size();
    // `11,\! 111`: the space that `\!` is there to take back.
    if (spelling->from != "\\!" || even.empty() || even.back() != ',') continue;
    while (at < text.size() && text[at] == ' ') ++at;
  }
  return even;
}

std::size_t closing_brace(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '{') {
      ++depth;
    } else if (text[at] == '}' && --depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::string_view peel(std::string_view text) {
  text = trim(text);
  while (const auto peeled = peel_once(text)) text = trim(*peeled);
  return text;
}

}  // namespace lil::analyze
