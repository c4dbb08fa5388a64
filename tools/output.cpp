#include "tools/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "schemas/error.h"

namespace lil::tools {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorCode::kEnvironment, fmt::format("cannot write to {}: {}", path, std::strerror(errno)));
}

}  // namespace

Output::Output(std::string path) : path_(std::move(path)) {
  if (path_ == "-") path_.clear();
  if (path_.empty()) return;
  std::error_code ignored;
  if (fs::is_symlink(path_, ignored) && fs::exists(path_, ignored)) path_ = fs::canonical(path_).string();
  const bool in_place = fs::exists(path_, ignored) && !fs::is_regular_file(path_, ignored);
  if (!in_place) temporary_ = fmt::format("{}.{}.part", path_, getpid());
  file_.open(in_place ? path_ : temporary_, std::ios::binary);
  if (!file_) {
    temporary_.clear();
    fail(path_);
  }
}

Output::~Output() {
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

std::ostream& Output::stream() {
  return path_.empty() ? std::cout : file_;
}

void Output::finish() {
  stream().flush();
  if (!stream()) fail(path_.empty() ? "stdout" : path_);
  if (path_.empty()) return;
  file_.close();
  if (!file_) fail(path_);
  if (temporary_.empty()) return;
  std::error_code error;
  if (fs::exists(path_, error)) fs::permissions(temporary_, fs::status(path_).permissions(), error);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_);
  temporary_.clear();
}

void Output::write(const std::string& text) {
  stream() << text;
  finish();
}

}  // namespace lil::tools
