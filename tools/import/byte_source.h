#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace lil::tools {

class FileDescriptor;

/// A stream of bytes from the start of a file to its end. Used by one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Fills `buffer` from its front and returns the number of bytes written; 0 only at the end. Throws
  /// Error(kEnvironment) where the file cannot be read, Error(kInput) where a compressed file is damaged.
  virtual std::size_t read(std::span<char> buffer) = 0;
  /// Bytes of the file itself read so far: compressed ones where it is compressed.
  [[nodiscard]] virtual std::int64_t file_bytes_read() const = 0;
};

/// A file to import, which can be read several times over. Standard input and pipes are first copied into
/// an unnamed temporary file.
class InputFile {
 public:
  /// `-` is standard input. Throws Error: kNotFound, kInput (a folder), kEnvironment; all name the file.
  [[nodiscard]] static InputFile open(const std::filesystem::path& path);

  /// As given, for messages.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Without folders: how the store names the file.
  [[nodiscard]] std::string name() const;
  /// The name without `.gz`, `.xz`, `.zst` and then without its last suffix; `stdin` for `-`.
  [[nodiscard]] std::string stem() const;
  [[nodiscard]] std::int64_t size_bytes() const { return size_bytes_; }
  /// Of the bytes as they stand in the file.
  [[nodiscard]] std::string sha256() const;
  /// From the start; gzip, xz and zstd, told by their first bytes, come out decompressed. A zstd file that
  /// was cut off is not noticed by the library: its text simply ends.
  [[nodiscard]] std::unique_ptr<ByteSource> reader() const;

 private:
  std::string path_;
  std::int64_t size_bytes_ = 0;
  std::shared_ptr<const FileDescriptor> descriptor_;
};

}  // namespace lil::tools
