#pragma once

#include <string_view>

namespace lil::analyze::page {

/// style.css, as it was when the program was built.
[[nodiscard]] std::string_view page_style();

/// The files of script/, one after the other.
[[nodiscard]] std::string_view page_script();

}  // namespace lil::analyze::page
