#pragma once

#include <string>

namespace lil::tools {

/// `sink(budget=64)` for the long spelling that names every parameter; the spelling itself where the policy
/// is of a log or of another version.
[[nodiscard]] std::string brief_policy(const std::string& policy);

}  // namespace lil::tools
