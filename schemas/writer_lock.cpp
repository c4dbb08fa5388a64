#include "schemas/writer_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "schemas/error.h"

namespace lil::schemas {
namespace {

/// False where the file was removed, by the holder before us, after it was opened.
bool is_still_named(int descriptor, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

WriterLock::WriterLock(const std::filesystem::path& store) : path_(store.string() + ".lock") {
  while (true) {
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
      throw Error(ErrorCode::kEnvironment, fmt::format("{} cannot be written to: {}: {}", store.string(),
                                                       path_.string(), std::strerror(errno)));
    }
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      close(descriptor_);
      throw Error(
          ErrorCode::kEnvironment,
          fmt::format("another program is adding traces to {}; wait for it, or use a store of its own",
                      store.string()));
    }
    if (is_still_named(descriptor_, path_)) return;
    close(descriptor_);
  }
}

WriterLock::~WriterLock() {
  unlink(path_.c_str());
  close(descriptor_);
}

}  // namespace lil::schemas
