#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "schemas/error.h"
#include "tools/commands/command.h"

namespace lil::tools {

/// Hands over to `lil-record` beside this program: the one that loads libtorch.
int run_record(const std::vector<std::string>& arguments) {
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::string program = here / "lil-record";
  std::vector<std::string> words = arguments;
  std::vector<char*> pointers{program.data()};
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  throw Error(ErrorCode::kEnvironment, fmt::format("cannot start {}: {}; was Lil built with LIL_RECORD=OFF?",
                                                   program, std::strerror(errno)));
}

}  // namespace lil::tools
