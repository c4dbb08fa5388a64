#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "record/tokenizer/formats.h"
#include "record/tokenizer/tokenizer.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no tokenizer file {}", path.string()));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    throw Error(ErrorCode::kEnvironment,
                fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno)));
  }
  return content;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  const std::string content = read_file(file);
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) throw Error(ErrorCode::kInput, fmt::format("{} is empty", file.string()));
  return content[first] == '{' ? read_tokenizer_json(content, file.string())
                               : read_tiktoken(content, file.string());
}

}  // namespace lil::record
