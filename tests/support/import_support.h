#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace lil::tests {

/// Writes a file with just these bytes and returns its path.
inline std::filesystem::path write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace lil::tests
