#include "tools/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "schemas/error.h"

namespace lil::tools {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorCode::kEnvironment, fmt::format("cannot write to {}: {}", path, std::strerror(errno)));
}

}  // namespace

Output::Output(std::string path) : path_(std::move(path)) {
  if (path_.empty() || path_ == "-") return;
  temporary_ = fmt::format("{}.{}.part", path_, getpid());
  file_.open(temporary_, std::ios::binary);
  if (!file_) {
    temporary_.clear();
    fail(path_);
  }
}

Output::~Output() {
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

std::ostream& Output::stream() {
  return temporary_.empty() ? std::cout : file_;
}

void Output::finish() {
  stream().flush();
  if (!stream()) fail(temporary_.empty() ? "stdout" : path_);
  if (temporary_.empty()) return;
  file_.close();
  if (!file_ || std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_);
  temporary_.clear();
}

void Output::write(const std::string& text) {
  stream() << text;
  finish();
}

}  // namespace lil::tools
