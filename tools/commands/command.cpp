#include "tools/commands/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "schemas/error.h"

namespace lil::tools {

int run_reporting_errors(std::string_view program, int (*action)(const std::vector<std::string>&),
                         const std::vector<std::string>& arguments) {
  try {
    return action(arguments);
  } catch (const Error& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return error.code() == ErrorCode::kUsage ? kWrongUsage : kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return kFailed;
  }
}

void print_failures(std::string_view what, const std::vector<std::string>& lines) {
  constexpr std::size_t kMost = 20;
  if (lines.empty()) return;
  std::fflush(stdout);  // the summary on stdout comes first, also where both go to one place
  fmt::print(stderr, "{}: {}\n", what, lines.size());
  for (std::size_t i = 0; i < lines.size() && i < kMost; ++i) fmt::print(stderr, "  {}\n", lines[i]);
  if (lines.size() > kMost) {
    fmt::print(stderr, "  and {} more; the table `failure` of the store has them all\n",
               lines.size() - kMost);
  }
}

}  // namespace lil::tools
