#include "record/tokenizer/pattern_dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "schemas/error.h"

namespace lil::record {
namespace {

/// Unicode's White_Space. PCRE2's \s has U+180E besides, which left that property in Unicode 6.3.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
/// A word character as in UTS #18. PCRE2's \w has no marks and no punctuation but the low line.
constexpr std::string_view kWords = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
/// Outside of a class Oniguruma counts the superscripts and fractions of Latin-1 in, too.
constexpr std::string_view kWordsAlone = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
/// Escapes by letters and digits that mean the same everywhere.
constexpr std::string_view kSameEscapes = "dDrntfexAzZ";
constexpr std::array<std::string_view, 8> kGroups = {"?:", "?=", "?!", "?>", "?<=", "?<!", "?i:", "?i)"};

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where,
             const std::function<bool(const std::string&)>& is_script)
      : pattern_(pattern), where_(where), is_script_(is_script) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] == '\\') {
        escape();
      } else if (in_class_) {
        inside_class();
      } else {
        outside_class();
      }
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorCode::kInput, fmt::format("{}: the pattern has {} at offset {}, which is not supported",
                                               where_, what, at_));
  }
  [[nodiscard]] bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(std::size_t count) {
    result_ += pattern_.substr(at_, count);
    at_ += count;
  }
  void put_class(std::string_view members, bool negated) {
    if (in_class_) {
      result_ += members;
    } else {
      result_ += fmt::format("[{}{}]", negated ? "^" : "", members);
    }
    at_ += 2;
  }

  void escape() {
    const char letter = at_ + 1 < pattern_.size() ? pattern_[at_ + 1] : '\0';
    if (letter == 's') {
      put_class(kSpaces, false);
    } else if (letter == 'w') {
      put_class(in_class_ ? kWords : kWordsAlone, false);
    } else if (letter == 'S') {
      // In a class the complement cannot be spelt out; U+180E is what PCRE2's own lacks.
      put_class(in_class_ ? R"(\S\x{180e})" : kSpaces, true);
    } else if (letter == 'W' && !in_class_) {
      put_class(kWordsAlone, true);
    } else if (letter == 'p' || letter == 'P') {
      property();
    } else if (letter == 'u') {
      code_point();
    } else if (std::isalnum(static_cast<unsigned char>(letter)) != 0 &&
               kSameEscapes.find(letter) == std::string::npos) {
      refuse(fmt::format("'\\{}'{}", letter, in_class_ ? " in a class" : ""));
    } else {
      copy(letter == 'x' && pattern_.substr(at_ + 2).starts_with("{") ? braced(at_ + 2) - at_ : 2);
    }
  }

  /// The offset after the closing brace of the one at `open`.
  [[nodiscard]] std::size_t braced(std::size_t open) const {
    const std::size_t close = pattern_.find('}', open);
    if (close == std::string_view::npos) refuse("'{' without '}'");
    return close + 1;
  }

  void property() {
    if (!pattern_.substr(at_ + 2).starts_with("{")) return copy(2);
    const std::size_t end = braced(at_ + 2);
    std::string name(pattern_.substr(at_ + 3, end - at_ - 4));
    const bool negated = name.starts_with("^");
    if (negated) name.erase(0, 1);
    // A bare script name means Script_Extensions to PCRE2, and Script to the others.
    if (name.size() > 2 && is_script_(name)) name.insert(0, "sc:");
    result_ += fmt::format("\\{}{{{}{}}}", pattern_[at_ + 1], negated ? "^" : "", name);
    at_ = end;
  }

  void code_point() {
    const std::string_view digits = pattern_.substr(at_ + 2, 4);
    if (digits.size() != 4 ||
        !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c) != 0; })) {
      refuse("'\\u' without four hexadecimal digits");
    }
    result_ += fmt::format("\\x{{{}}}", digits);
    at_ += 6;
  }

  void inside_class() {
    if (next_is("&&")) refuse("'&&' in a class");
    if (next_is("[")) refuse("'[' in a class");
    if (next_is("]")) in_class_ = false;
    copy(1);
  }

  void outside_class() {
    if (next_is("(*")) refuse("'(*'");
    if (next_is("(?") && std::none_of(kGroups.begin(), kGroups.end(), [&](std::string_view group) {
          return pattern_.substr(at_ + 1).starts_with(group);
        })) {
      refuse(fmt::format("'{}'", pattern_.substr(at_, 3)));
    }
    if (next_is("{")) return interval();
    if (next_is("[")) {
      in_class_ = true;
      copy(next_is("[^") ? 2 : 1);
      if (next_is("]")) refuse("an empty class");
      return;
    }
    copy(1);
  }

  void interval() {
    const std::size_t end = braced(at_);
    if (next_is("{,")) refuse("'{,'");
    // `x{2}+` is possessive to PCRE2 and Rust, and `(?:x{2})+` to Oniguruma.
    if (pattern_.substr(end).starts_with("+")) refuse("'+' after '}'");
    copy(end - at_);
  }

  std::string_view pattern_;
  const std::string& where_;
  const std::function<bool(const std::string&)>& is_script_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::string result_;
};

}  // namespace

std::string to_pcre2_dialect(std::string_view pattern, const std::string& where,
                             const std::function<bool(const std::string&)>& is_script) {
  return Translator(pattern, where, is_script).run();
}

}  // namespace lil::record
