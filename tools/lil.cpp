#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "tools/commands/command.h"

namespace {

using lil::tools::Command;
using lil::tools::commands;

void print_help() {
  fmt::print("Usage: lil <command> [arguments]\n\nCommands:\n");
  for (const Command& command : commands()) fmt::print("  {:<9} {}\n", command.name, command.summary);
  fmt::print("\n`lil <command> --help` has the options. The store is always the first argument.\n");
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_help();
    return arguments.empty() ? lil::tools::kWrongUsage : lil::tools::kDone;
  }
  if (arguments[0] == "--version") {
    fmt::print("lil {}\n", LIL_VERSION);
    return lil::tools::kDone;
  }
  const auto found = std::find_if(commands().begin(), commands().end(),
                                  [&](const Command& command) { return command.name == arguments[0]; });
  if (found == commands().end()) {
    std::string known;
    for (const Command& command : commands())
      known += (known.empty() ? "" : ", ") + std::string(command.name);
    throw lil::Error(lil::ErrorCode::kUsage,
                     fmt::format("unknown command '{}'; known are: {}", arguments[0], known));
  }
  return found->run({arguments.begin() + 1, arguments.end()});
}

}  // namespace

int main(int argc, char** argv) {
  return lil::tools::run_reporting_errors("lil", run, {argv + 1, argv + argc});
}
