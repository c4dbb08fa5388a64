#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lil::record {

/// A regular expression of a tokenizer, run by PCRE2 (compiled to machine code where the platform allows).
///
/// Tokenizers are written for Oniguruma or Rust's regex. Their dialects differ from PCRE2's in what `\s` and
/// `\w` and the name of a script mean, and in a few constructs; what can be put in PCRE2's words is, the rest
/// is refused, so that no pattern quietly cuts elsewhere. Immutable; threads bring a Matcher each.
class Pattern {
 public:
  struct Match {
    std::size_t begin;
    std::size_t end;
  };

  /// The working memory of find, for one thread at a time and for any Pattern.
  class Matcher {
   public:
    Matcher();
    ~Matcher();
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;

   private:
    friend class Pattern;
    struct State;
    std::unique_ptr<State> state_;
  };

  /// Throws Error(kInput) that starts with `where` where `pattern` cannot be read.
  Pattern(std::string_view pattern, const std::string& where);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  /// The first match in `subject` (well-formed UTF-8) that begins at `from` or later; assertions see the
  /// whole of `subject` and nothing else. Throws Error(kInput) where matching takes unreasonably long.
  [[nodiscard]] std::optional<Match> find(std::string_view subject, std::size_t from, Matcher& matcher) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

/// A pattern that matches `text` itself.
[[nodiscard]] std::string literal_pattern(std::string_view text);

}  // namespace lil::record
