#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lil::record {

/// Type of a tensor's numbers, by its name in the safetensors format.
enum class ElementType { kBool, kU8, kI8, kU16, kI16, kF16, kBf16, kU32, kI32, kF32, kU64, kI64, kF64 };

[[nodiscard]] const char* to_string(ElementType type);
[[nodiscard]] std::size_t bytes_of(ElementType type);

/// A tensor in a mapped file: row-major, little-endian. `bytes` is as long as shape and type say; it
/// lies in the file's mapping, and its start need not be aligned to the type.
struct TensorView {
  ElementType type = ElementType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// One `.safetensors` file, mapped read-only: nothing is read before it is used. Immutable; safe to share
/// between threads. The views live as long as the object.
class SafetensorsFile {
 public:
  /// Checks the whole header. Throws Error: kEnvironment where the file cannot be opened, kInput naming
  /// file, tensor and numbers where the header is not one, lies about lengths, or tensors overlap.
  explicit SafetensorsFile(std::filesystem::path path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// Lets go of the memory of pages that were read; what is used again is read again.
  void release_pages() const;

 private:
  class Mapping;

  std::filesystem::path path_;
  std::unique_ptr<Mapping> mapping_;
  std::map<std::string, TensorView> tensors_;
};

/// All tensors of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json`
/// names. Immutable; safe to share between threads.
class ModelWeights {
 public:
  /// Throws Error as SafetensorsFile does; kNotFound where the folder has neither file or lacks a shard,
  /// kInput where the index is no index or names a tensor that its shard does not have.
  explicit ModelWeights(const std::filesystem::path& folder);

  /// Throws Error(kNotFound) naming file and tensor.
  [[nodiscard]] const TensorView& tensor(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return file_of_tensor_.contains(name); }
  /// Names of all tensors, ascending.
  [[nodiscard]] std::vector<std::string> names() const;
  /// The file to name in messages about this tensor; the folder's main file where there is no such tensor.
  [[nodiscard]] const std::filesystem::path& file_of(const std::string& name) const;
  /// Of one file: its SHA-256, as sha256sum prints it. Of several: the SHA-256 of the lines that sha256sum
  /// prints for the shards in order of name ("<digest>  <file name>\n"). Reads all of them.
  [[nodiscard]] std::string sha256() const;
  /// Lets go of the memory of pages that were read; what is used again is read again.
  void release_pages() const;

 private:
  void open_shards(const std::filesystem::path& index);

  std::filesystem::path main_file_;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files_;  ///< by file name
  std::map<std::string, const SafetensorsFile*> file_of_tensor_;
};

}  // namespace lil::record
