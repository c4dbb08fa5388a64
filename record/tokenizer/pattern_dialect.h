#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace lil::record {

/// `pattern`, in what Oniguruma (Ruby syntax) and Rust's regex have in common, as PCRE2 would have it.
/// `is_script(name)` tells whether PCRE2 knows a script of that name. Throws Error(kInput), beginning with
/// `where`, at a construct that would mean something else to PCRE2.
[[nodiscard]] std::string to_pcre2_dialect(std::string_view pattern, const std::string& where,
                                           const std::function<bool(const std::string&)>& is_script);

}  // namespace lil::record
