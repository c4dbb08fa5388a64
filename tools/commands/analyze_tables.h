#pragma once

#include <string>

#include "tools/command_line.h"

namespace lil::tools {

/// The tables of `lil analyze --table`, with what each holds, for its help.
[[nodiscard]] std::string table_names();

/// Declares the options that only these tables read.
void add_table_options(CommandLine& line);

/// `lil analyze --table NAME`, the options read. Throws Error(kUsage) for an unknown name.
int analyze_table(const CommandLine& line);

}  // namespace lil::tools
