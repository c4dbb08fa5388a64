#pragma once

#include <string>

namespace lil::tests::simt {

/// A place in a kernel's text: of the call whose default argument this is.
struct Location {
  const char* file;
  int line;
  const char* function;  ///< the kernel's, or that of the device function it called, without its namespace

  // std::source_location would do, but clang-tidy 14 knows none.
  static constexpr Location here(const char* file = __builtin_FILE(), int line = __builtin_LINE(),
                                 const char* function = __builtin_FUNCTION()) {
    return {file, line, function};
  }

  [[nodiscard]] bool operator==(const Location& other) const;
};

/// "append_cuda.cu:41 (append_kernel)"
[[nodiscard]] std::string to_string(Location where);

}  // namespace lil::tests::simt
