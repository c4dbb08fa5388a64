#include "tools/commands/signal_names.h"

#include <utility>

#include "replay/signals/registry.h"

namespace lil::tools {

std::vector<std::string> signal_names(const CommandLine& line) {
  std::vector<std::string> signals;
  for (const std::string& spec : line.specs("signal")) {
    if (spec != "all") {
      signals.push_back(spec);
      continue;
    }
    for (std::string& name : all_signals()) signals.push_back(std::move(name));
  }
  return signals;
}

std::vector<std::string> all_signals() {
  std::vector<std::string> signals;
  for (const auto& row : replay::signal_rows()) signals.push_back(row.name);
  return signals;
}

}  // namespace lil::tools
