#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace lil::tests {

/// The folder of real data that the environment variable LIL_TEST_DATA names; a test that needs it skips
/// itself, with a word saying so, where there is none.
inline std::optional<std::filesystem::path> test_data() {
  const char* folder = std::getenv("LIL_TEST_DATA");
  if (folder == nullptr || !std::filesystem::is_directory(folder)) return std::nullopt;
  return folder;
}

}  // namespace lil::tests

/// Declares `path_name`, a file of the real data, or skips the test.
#define LIL_REAL_DATA_OR_SKIP(path_name, relative)                                          \
  const auto path_name##_root = lil::tests::test_data();                                    \
  if (!path_name##_root) GTEST_SKIP() << "LIL_TEST_DATA is not set: real data is left out"; \
  const std::filesystem::path path_name = *path_name##_root / (relative)
