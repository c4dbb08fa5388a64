#pragma once

#include "tools/command_line.h"

namespace lil::tools {

/// The things that `lil compare` compares; each is its command, once the options are read.
int compare_cost(const CommandLine& line);
int compare_signals(const CommandLine& line);
int compare_runs(const CommandLine& line);

}  // namespace lil::tools
