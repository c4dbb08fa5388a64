#pragma once

#include <fstream>
#include <ostream>
#include <string>

namespace lil::tools {

/// Where a command's result goes: stdout, or a file that is replaced only when all of it is there (what a
/// link points to; the mode stays). A device, a pipe or a socket is written to as it is. Made before the work
/// starts, so that an unwritable place is an error at once.
class Output {
 public:
  /// An empty path, or `-`, is stdout. Throws Error(kEnvironment) that names the path.
  explicit Output(std::string path);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  [[nodiscard]] std::ostream& stream();
  /// Puts everything in place. Without it a file stays as it was. Throws Error(kEnvironment).
  void finish();
  /// Writes `text` and finishes.
  void write(const std::string& text);

 private:
  std::string path_;       ///< empty for stdout
  std::string temporary_;  ///< takes the place of path_ in the end; empty where path_ is written to as it is
  std::ofstream file_;
};

}  // namespace lil::tools
