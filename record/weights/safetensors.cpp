#include "record/weights/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "schemas/error.h"
#include "schemas/sha256.h"

namespace lil::record {
namespace {

using nlohmann::json;

struct TypeRow {
  ElementType type;
  const char* name;
  std::size_t bytes;
};

constexpr std::array<TypeRow, 13> kTypes{{{ElementType::kBool, "BOOL", 1},
                                          {ElementType::kU8, "U8", 1},
                                          {ElementType::kI8, "I8", 1},
                                          {ElementType::kU16, "U16", 2},
                                          {ElementType::kI16, "I16", 2},
                                          {ElementType::kF16, "F16", 2},
                                          {ElementType::kBf16, "BF16", 2},
                                          {ElementType::kU32, "U32", 4},
                                          {ElementType::kI32, "I32", 4},
                                          {ElementType::kF32, "F32", 4},
                                          {ElementType::kU64, "U64", 8},
                                          {ElementType::kI64, "I64", 8},
                                          {ElementType::kF64, "F64", 8}}};

/// The format's own limit; keeps a lying length from being parsed at all.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::uint64_t kLengthBytes = 8;

const TypeRow& row_of(ElementType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeRow& row) { return row.type == type; });
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorCode::kInput, fmt::format("{}: {}", path.string(), what));
}

[[noreturn]] void refuse_tensor(const std::filesystem::path& path, const std::string& name,
                                const std::string& what) {
  refuse(path, fmt::format("tensor '{}': {}", name, what));
}

/// Finds keys that an object has twice, which the JSON library would silently merge.
class DuplicateKeys {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys_.resize(std::max(keys_.size(), static_cast<std::size_t>(depth) + 2));
      keys_[static_cast<std::size_t>(depth) + 1].clear();
    } else if (event == json::parse_event_t::key && !duplicate_) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_[static_cast<std::size_t>(depth)].insert(key).second) duplicate_ = key;
    }
    return true;
  }
  [[nodiscard]] const std::optional<std::string>& duplicate() const { return duplicate_; }

 private:
  std::vector<std::set<std::string>> keys_;  ///< of the open object at each depth
  std::optional<std::string> duplicate_;
};

json parse_object(const std::filesystem::path& path, std::string_view text, std::uint64_t offset,
                  const char* what) {
  DuplicateKeys duplicates;
  json parsed;
  try {
    parsed = json::parse(text.begin(), text.end(), std::ref(duplicates));
  } catch (const json::parse_error& error) {
    refuse(path, fmt::format("the {} is not JSON at byte {} of the file", what, offset + error.byte));
  }
  if (duplicates.duplicate()) {
    refuse(path, fmt::format("the {} has the name '{}' twice", what, *duplicates.duplicate()));
  }
  if (!parsed.is_object()) refuse(path, fmt::format("the {} is not a JSON object", what));
  return parsed;
}

/// A member that must be a list of non-negative integers.
std::vector<std::int64_t> integers(const std::filesystem::path& path, const std::string& name,
                                   const json& entry, const char* key) {
  const auto list = entry.find(key);
  if (list == entry.end() || !list->is_array()) {
    refuse_tensor(path, name, fmt::format("'{}' is missing or not a list", key));
  }
  std::vector<std::int64_t> values;
  for (const json& value : *list) {
    if (!value.is_number_unsigned() ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      refuse_tensor(path, name, fmt::format("{} in '{}' is not a non-negative integer", value.dump(), key));
    }
    values.push_back(value.get<std::int64_t>());
  }
  return values;
}

ElementType element_type(const std::filesystem::path& path, const std::string& name, const json& entry) {
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) {
    refuse_tensor(path, name, "'dtype' is missing or not a string");
  }
  const auto& text = dtype->get_ref<const std::string&>();
  const auto* row =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& r) { return text == r.name; });
  if (row == kTypes.end()) refuse_tensor(path, name, fmt::format("unknown dtype '{}'", text));
  return row->type;
}

/// Bytes that shape and type ask for; nothing where that exceeds 63 bits.
std::optional<std::int64_t> size_of(const std::vector<std::int64_t>& shape, ElementType type) {
  auto size = static_cast<std::int64_t>(bytes_of(type));
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(size, extent, &size)) return std::nullopt;
  }
  return size;
}

TensorView read_entry(const std::filesystem::path& path, const std::string& name, const json& entry,
                      std::span<const std::byte> data) {
  if (!entry.is_object()) refuse_tensor(path, name, "its entry is not a JSON object");
  TensorView view{element_type(path, name, entry), integers(path, name, entry, "shape"), {}};
  const std::vector<std::int64_t> offsets = integers(path, name, entry, "data_offsets");
  if (offsets.size() != 2) {
    refuse_tensor(path, name, fmt::format("'data_offsets' has {} numbers instead of 2", offsets.size()));
  }
  const auto available = static_cast<std::int64_t>(data.size());
  if (offsets[0] > offsets[1] || offsets[1] > available) {
    refuse_tensor(path, name,
                  fmt::format("data_offsets [{}, {}] do not lie in the {} bytes of data", offsets[0],
                              offsets[1], available));
  }
  const auto size = size_of(view.shape, view.type);
  if (!size || *size != offsets[1] - offsets[0]) {
    refuse_tensor(path, name,
                  fmt::format("shape [{}] of {} needs {} bytes, its data_offsets [{}, {}] hold {}",
                              fmt::join(view.shape, ", "), to_string(view.type),
                              size ? std::to_string(*size) : std::string("more than 2^63"), offsets[0],
                              offsets[1], offsets[1] - offsets[0]));
  }
  view.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(*size));
  return view;
}

void refuse_overlaps(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors) {
  std::vector<std::pair<const std::byte*, const std::pair<const std::string, TensorView>*>> order;
  for (const auto& item : tensors) {
    if (!item.second.bytes.empty()) order.emplace_back(item.second.bytes.data(), &item);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i) {
    const auto& [name, before] = *order[i - 1].second;
    if (before.bytes.data() + before.bytes.size() > order[i].first) {
      refuse(path, fmt::format("tensors '{}' and '{}' overlap", name, order[i].second->first));
    }
  }
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) {
    throw Error(ErrorCode::kEnvironment, fmt::format("cannot read {}", path.string()));
  }
  return text;
}

}  // namespace

const char* to_string(ElementType type) {
  return row_of(type).name;
}
std::size_t bytes_of(ElementType type) {
  return row_of(type).bytes;
}

/// A whole file, mapped read-only.
class SafetensorsFile::Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(path, "cannot open");
    struct stat status {};
    const bool regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    size_ = regular ? static_cast<std::size_t>(status.st_size) : 0;
    if (size_ > 0) start_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    const int error = errno;
    close(file);
    errno = error;
    if (size_ > 0 && start_ == MAP_FAILED) fail(path, "cannot map");
  }
  ~Mapping() {
    if (size_ > 0) munmap(start_, size_);
  }
  void release_pages() const {
    if (size_ > 0) madvise(start_, size_, MADV_DONTNEED);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(start_), size_};
  }

 private:
  [[noreturn]] static void fail(const std::filesystem::path& path, const char* what) {
    throw Error(ErrorCode::kEnvironment, fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
  }

  void* start_ = nullptr;
  std::size_t size_ = 0;
};

void SafetensorsFile::release_pages() const {
  mapping_->release_pages();
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), mapping_(std::make_unique<Mapping>(path_)) {
  const std::span<const std::byte> file = mapping_->bytes();
  if (file.size() < kLengthBytes) {
    refuse(path_,
           fmt::format("a safetensors file starts with 8 bytes of length, this one has {}", file.size()));
  }
  std::uint64_t header_bytes = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    header_bytes |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (header_bytes > file.size() - kLengthBytes || header_bytes > kMaxHeaderBytes) {
    refuse(path_,
           fmt::format("the header says it is {} bytes long, the file has {} after its length (and at most "
                       "{} are allowed)",
                       header_bytes, file.size() - kLengthBytes, kMaxHeaderBytes));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes);
  const json header = parse_object(path_, text, kLengthBytes, "header");
  const auto data = file.subspan(kLengthBytes + header_bytes);
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") tensors_.emplace(name, read_entry(path_, name, entry, data));
  }
  refuse_overlaps(path_, tensors_);
}

SafetensorsFile::~SafetensorsFile() = default;

ModelWeights::ModelWeights(const std::filesystem::path& folder) : main_file_(folder / "model.safetensors") {
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (std::filesystem::exists(main_file_)) {
    auto file = std::make_unique<SafetensorsFile>(main_file_);
    for (const auto& [name, view] : file->tensors()) file_of_tensor_.emplace(name, file.get());
    files_.emplace(main_file_.filename().string(), std::move(file));
  } else if (std::filesystem::exists(index)) {
    main_file_ = index;
    open_shards(index);
  } else {
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("{} has neither model.safetensors nor model.safetensors.index.json", folder.string()));
  }
}

void ModelWeights::open_shards(const std::filesystem::path& index) {
  const json parsed = parse_object(index, read_text(index), 0, "index");
  const auto map = parsed.find("weight_map");
  if (map == parsed.end() || !map->is_object()) refuse(index, "'weight_map' is missing or not a JSON object");
  for (const auto& [tensor, file_name] : map->items()) {
    if (!file_name.is_string()) refuse_tensor(index, tensor, "its file is not a string");
    const auto& name = file_name.get_ref<const std::string&>();
    if (std::filesystem::path(name).filename() != name || name.empty() || name == "." || name == "..") {
      refuse_tensor(index, tensor, fmt::format("'{}' is not a plain file name", name));
    }
    auto& file = files_[name];
    if (!file) {
      const std::filesystem::path path = index.parent_path() / name;
      if (!std::filesystem::exists(path)) {
        throw Error(ErrorCode::kNotFound,
                    fmt::format("{} names the shard {}, which is not there", index.string(), path.string()));
      }
      file = std::make_unique<SafetensorsFile>(path);
    }
    if (!file->tensors().contains(tensor)) {
      refuse_tensor(index, tensor, fmt::format("its shard {} does not have it", name));
    }
    file_of_tensor_.emplace(tensor, file.get());
  }
}

const TensorView& ModelWeights::tensor(const std::string& name) const {
  const auto file = file_of_tensor_.find(name);
  if (file == file_of_tensor_.end()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{} has no tensor '{}'", main_file_.string(), name));
  }
  return file->second->tensors().at(name);
}

std::vector<std::string> ModelWeights::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : file_of_tensor_) names.push_back(name);
  return names;
}

const std::filesystem::path& ModelWeights::file_of(const std::string& name) const {
  const auto file = file_of_tensor_.find(name);
  return file == file_of_tensor_.end() ? main_file_ : file->second->path();
}

void ModelWeights::release_pages() const {
  for (const auto& [name, file] : files_) file->release_pages();
}

std::string ModelWeights::sha256() const {
  if (files_.size() == 1 && files_.begin()->second->path() == main_file_) {
    return schemas::sha256_of_file(main_file_);
  }
  std::string listing;
  for (const auto& [name, file] : files_) {
    listing += fmt::format("{}  {}\n", schemas::sha256_of_file(file->path()), name);
  }
  return schemas::sha256_hex(listing);
}

}  // namespace lil::record
