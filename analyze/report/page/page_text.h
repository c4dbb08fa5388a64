#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lil::analyze::page {

/// Bytes as a browser has them: UTF-8 in which each broken piece (the maximal ones of Unicode's chapter 3.9)
/// is U+FFFD, and where each byte is in it.
class PageText {
 public:
  explicit PageText(std::string_view bytes);

  [[nodiscard]] const std::string& utf8() const { return utf8_; }
  /// UTF-16 code units, which scripts count in, before the character that holds byte `byte`; all of them
  /// where `byte` is the number of bytes.
  [[nodiscard]] std::int64_t unit_at(std::int64_t byte) const {
    return units_[static_cast<std::size_t>(byte)];
  }

 private:
  std::string utf8_;
  std::vector<std::uint32_t> units_;  // (bytes + 1)
};

/// `json`, one that holds `<` in strings alone, as it may stand in a <script> element.
[[nodiscard]] std::string json_in_html(std::string_view json);

}  // namespace lil::analyze::page
