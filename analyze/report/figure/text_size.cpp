#include "analyze/report/figure/text_size.h"

#include <cstddef>

#include "analyze/report/figure/xml.h"

namespace lil::analyze::figure {
namespace {

/// In units of the size.
double width_of(char32_t point) {
  constexpr double kNarrow = 0.4;
  constexpr double kWide = 0.9;
  constexpr double kCapital = 0.7;
  constexpr double kUsual = 0.63;
  if (point < 0x20 || (point >= 0x300 && point < 0x370) || (point >= 0x200B && point <= 0x200F)) return 0;
  if (point >= 0x1100 && point < 0xE000) return point >= 0x2000 && point < 0x2E80 ? kUsual : 1;
  if (point > 0xFFFF) return 1;
  if (std::u32string_view(U" ijlt.,:;'|!()[]rfI").find(point) != std::u32string_view::npos) return kNarrow;
  if (point == U'm' || point == U'w' || point == U'M' || point == U'W' || point == U'%') return kWide;
  if (point == U'=' || point == U'+' || point == U'<' || point == U'>' || point == U'~') return kWide;
  return point >= U'A' && point <= U'Z' ? kCapital : kUsual;
}

/// Pieces of a text, each with the character of `breaks` that ends it.
std::vector<std::string> pieces_of(std::string_view text, std::string_view breaks) {
  std::vector<std::string> pieces(1);
  for (const char c : text) {
    pieces.back() += c;
    if (breaks.find(c) != std::string_view::npos) pieces.emplace_back();
  }
  if (pieces.back().empty()) pieces.pop_back();
  return pieces;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

/// How many bytes of the text fit, whole characters, at least one.
std::size_t fitting(const std::string& text, double width, double size) {
  std::size_t fit = 0;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    if (end < text.size() && is_continuation(text[end])) continue;
    if (fit > 0 && text_width(text.substr(0, end), size) > width) break;
    fit = end;
  }
  return fit;
}

std::string trimmed(std::string line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const char32_t point : code_points(text)) width += width_of(point);
  return width * size;
}

std::vector<std::string> wrapped(std::string_view text, double width, int most_lines, double size) {
  std::vector<std::string> lines(1);
  const auto fits = [&](const std::string& line) { return text_width(trimmed(line), size) <= width; };
  const auto add = [&](std::string piece) {
    if (!lines.back().empty() && !fits(lines.back() + piece)) lines.emplace_back();
    while (!fits(piece)) {
      const std::size_t fit = fitting(piece, width, size);
      if (fit >= piece.size()) break;
      lines.back() = piece.substr(0, fit);
      piece.erase(0, fit);
      lines.emplace_back();
    }
    lines.back() += piece;
  };
  for (const std::string& word : pieces_of(text, " ")) {
    if (fits(word)) {
      add(word);
    } else {
      for (const std::string& piece : pieces_of(word, "_-/,")) add(piece);
    }
  }
  const auto most = static_cast<std::size_t>(most_lines);
  if (lines.size() > most) {
    constexpr const char* kEllipsis = "\xE2\x80\xA6";
    lines.resize(most);
    std::string last = trimmed(lines.back());
    while (!last.empty() && text_width(last + kEllipsis, size) > width) {
      while (last.size() > 1 && is_continuation(last.back())) last.pop_back();
      last.pop_back();
    }
    lines.back() = last + kEllipsis;
  }
  for (std::string& line : lines) line = trimmed(line);
  return lines;
}

}  // namespace lil::analyze::figure
