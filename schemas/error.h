#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace lil {

/// Why an operation failed. Programs map every code but kUsage to exit status 1, kUsage to 2.
enum class ErrorCode {
  kUsage,        ///< the caller asked for something that does not exist or is out of range
  kInput,        ///< a file or a record is not what it should be
  kEnvironment,  ///< the file system, a library or a device refused
  kCorrupt,      ///< a store or a block fails its own checks
  kConflict,     ///< two things that must agree do not
  kNotFound,     ///< something that was named is not there
};

/// The one exception type for broken input or environment. The message says what is wrong, with the
/// offending value and where it stands (file, line, column, row), in one sentence.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& what) : std::runtime_error(what), code_(code) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace lil
