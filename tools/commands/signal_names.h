#pragma once

#include <string>
#include <vector>

#include "tools/command_line.h"

namespace lil::tools {

/// What `--signal` asks for: specs multiplied out, and every signal at its defaults for `all`.
[[nodiscard]] std::vector<std::string> signal_names(const CommandLine& line);

/// Every signal at its defaults.
[[nodiscard]] std::vector<std::string> all_signals();

}  // namespace lil::tools
