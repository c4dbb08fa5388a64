#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lil::tools {

/// What programs return; architecture-wide, scripts rest on it.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kSomeFailed = 3;
inline constexpr int kNothingCertified = 4;

/// One `lil <command>`: a file in this folder and a row in registry.cpp.
struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const std::vector<std::string>& arguments);
};

[[nodiscard]] std::span<const Command> commands();

/// Runs `action` as a whole program: what it throws is printed to stderr as one line and becomes the exit
/// status.
int run_reporting_errors(std::string_view program, int (*action)(const std::vector<std::string>&),
                         const std::vector<std::string>& arguments);

/// Lists on stderr what a command could not do, at most a screenful: `what`, how many, and a line each.
/// Nothing where there is none.
void print_failures(std::string_view what, const std::vector<std::string>& lines);

}  // namespace lil::tools
