#include "tools/import/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/iostreams/categories.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "schemas/error.h"
#include "schemas/sha256.h"

namespace lil::tools {

/// Owns an open file.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { ::close(number_); }

  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

namespace {

namespace io = boost::iostreams;

constexpr std::size_t kChunkBytes = std::size_t{1} << 18;

Error system_error(const std::string& path) {
  return {ErrorCode::kEnvironment, fmt::format("cannot read {}: {}", path, std::strerror(errno))};
}

Error spool_error(const std::string& path) {
  return {ErrorCode::kEnvironment,
          fmt::format("cannot keep {} in a temporary file: {}", path, std::strerror(errno))};
}

std::size_t read_at(int descriptor, std::span<char> buffer, std::int64_t offset, const std::string& path) {
  for (;;) {
    const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), offset);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw system_error(path);
  }
}

/// An unnamed file with all that `descriptor` still gives.
int spool(int descriptor, const std::string& path) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) throw spool_error(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> closer(file, &std::fclose);
  std::vector<char> buffer(kChunkBytes);
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error(path);
    if (std::fwrite(buffer.data(), 1, static_cast<std::size_t>(count), file) !=
        static_cast<std::size_t>(count)) {
      throw spool_error(path);
    }
  }
  const int copy = std::fflush(file) == 0 ? ::dup(::fileno(file)) : -1;
  if (copy < 0) throw spool_error(path);
  return copy;
}

class PlainSource : public ByteSource {
 public:
  PlainSource(std::shared_ptr<const FileDescriptor> descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  std::size_t read(std::span<char> buffer) override {
    const std::size_t count = read_at(descriptor_->number(), buffer, position_, path_);
    position_ += static_cast<std::int64_t>(count);
    return count;
  }
  [[nodiscard]] std::int64_t file_bytes_read() const override { return position_; }

 private:
  std::shared_ptr<const FileDescriptor> descriptor_;
  std::string path_;
  std::int64_t position_ = 0;
};

/// A ByteSource as Boost.Iostreams reads one.
struct SourceDevice {
  using char_type = char;
  using category = io::source_tag;

  std::streamsize read(char* bytes, std::streamsize count) {
    const std::size_t got = source->read({bytes, static_cast<std::size_t>(count)});
    return got == 0 ? -1 : static_cast<std::streamsize>(got);
  }

  ByteSource* source;
};

enum class Compression { kNone, kGzip, kXz, kZstd };

Compression compression_of(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (head.starts_with(std::string_view("\xfd"
                                        "7zXZ\0",
                                        6))) {
    return Compression::kXz;
  }
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  return Compression::kNone;
}

class DecompressedSource : public ByteSource {
 public:
  DecompressedSource(std::unique_ptr<ByteSource> compressed, Compression compression, std::string path)
      : compressed_(std::move(compressed)), path_(std::move(path)) {
    if (compression == Compression::kGzip) stream_.push(io::gzip_decompressor());
    if (compression == Compression::kXz) stream_.push(io::lzma_decompressor());
    if (compression == Compression::kZstd) stream_.push(io::zstd_decompressor());
    stream_.push(SourceDevice{compressed_.get()}, static_cast<std::streamsize>(kChunkBytes));
  }

  std::size_t read(std::span<char> buffer) override {
    try {
      const std::streamsize count = stream_.sgetn(buffer.data(), static_cast<std::streamsize>(buffer.size()));
      bytes_out_ += count;
      return static_cast<std::size_t>(count);
    } catch (const std::ios_base::failure&) {  // what every filter throws; its text says no more
      throw Error(ErrorCode::kInput,
                  fmt::format("{}: the compressed data is damaged or cut off after {} decompressed bytes",
                              path_, bytes_out_));
    }
  }
  [[nodiscard]] std::int64_t file_bytes_read() const override { return compressed_->file_bytes_read(); }

 private:
  std::unique_ptr<ByteSource> compressed_;
  std::string path_;
  io::filtering_streambuf<io::input> stream_;
  std::int64_t bytes_out_ = 0;
};

}  // namespace

InputFile InputFile::open(const std::filesystem::path& path) {
  InputFile file;
  file.path_ = path == "-" ? "standard input" : path.string();
  const int number = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) {
    if (errno == ENOENT) throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", file.path_));
    throw system_error(file.path_);
  }
  file.descriptor_ = std::make_shared<const FileDescriptor>(number);
  struct stat status {};
  if (::fstat(number, &status) != 0) throw system_error(file.path_);
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::kInput, fmt::format("{} is a folder, not a file", file.path_));
  }
  if (!S_ISREG(status.st_mode) || path == "-") {
    file.descriptor_ = std::make_shared<const FileDescriptor>(spool(number, file.path_));
    if (::fstat(file.descriptor_->number(), &status) != 0) throw system_error(file.path_);
  }
  file.size_bytes_ = status.st_size;
  return file;
}

std::string InputFile::name() const {
  return std::filesystem::path(path_).filename().string();
}

std::string InputFile::stem() const {
  if (path_ == "standard input") return "stdin";
  std::filesystem::path name = std::filesystem::path(path_).filename();
  for (const char* suffix : {".gz", ".xz", ".zst"}) {
    if (name.extension() == suffix) {
      name = name.stem();
      break;
    }
  }
  return name.stem().string();
}

std::string InputFile::sha256() const {
  schemas::Sha256 hash;
  std::vector<char> buffer(kChunkBytes);
  std::int64_t offset = 0;
  for (;;) {
    const std::size_t count = read_at(descriptor_->number(), buffer, offset, path_);
    if (count == 0) return hash.hex_digest();
    hash.update({buffer.data(), count});
    offset += static_cast<std::int64_t>(count);
  }
}

std::unique_ptr<ByteSource> InputFile::reader() const {
  auto plain = std::make_unique<PlainSource>(descriptor_, path_);
  std::array<char, 6> head{};
  const std::size_t count = read_at(descriptor_->number(), head, 0, path_);
  const Compression compression = compression_of({head.data(), count});
  if (compression == Compression::kNone) return plain;
  return std::make_unique<DecompressedSource>(std::move(plain), compression, path_);
}

}  // namespace lil::tools
