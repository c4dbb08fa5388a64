#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "tools/command_line.h"

namespace lil::tools {

/// Declares which answers of the traces are looked at.
void add_answer_options(CommandLine& line);

/// Declares that they may be those of probes.
void add_probe_options(CommandLine& line);

/// Reads these and `--where`; what is left out is added to `left_out`, which stays where it is.
void read_source_options(const CommandLine& line, analyze::SourceRequest& request,
                         std::vector<std::string>& left_out);

/// Prints each different sentence once, on stderr.
[[nodiscard]] std::function<void(const std::string&)> warn_once();

/// Says on stderr what was left out; the exit status that follows from it.
int report_left_out(const std::vector<std::string>& left_out);

}  // namespace lil::tools
