#include "record/models/weight_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "schemas/error.h"

namespace lil::record {
namespace {

std::optional<DType> dtype_of(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return DType::kFp32;
    case ElementType::kBf16:
      return DType::kBf16;
    case ElementType::kF16:
      return DType::kFp16;
    default:
      return std::nullopt;
  }
}

std::size_t size_of(DType dtype) {
  return static_cast<std::size_t>(kernels::bytes_of(dtype));
}

bool aligned(const std::byte* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) == 0;
}

/// Calls action(first index, numbers in fp32) over a tensor, piece by piece: its start need not be aligned,
/// and no whole copy is made.
template <class Action>
void for_numbers(const TensorView& tensor, const Action& action) {
  constexpr std::size_t kPiece = 4096;
  const DType stored = *dtype_of(tensor.type);
  alignas(8) std::array<std::byte, kPiece * 4> moved;
  std::array<float, kPiece> numbers;
  const std::size_t count = tensor.bytes.size() / size_of(stored);
  for (std::size_t first = 0; first < count; first += kPiece) {
    const auto piece = std::span(numbers).first(std::min(kPiece, count - first));
    const std::byte* from = tensor.bytes.data() + first * size_of(stored);
    if (!aligned(from, stored)) {
      std::memcpy(moved.data(), from, piece.size() * size_of(stored));
      from = moved.data();
    }
    widen(stored, from, piece);
    action(first, piece);
  }
}

}  // namespace

const TensorView& WeightReader::tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
  const TensorView& tensor = weights_.tensor(name);
  if (!dtype_of(tensor.type)) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}: tensor '{}' is of type {}; weights of type F32, F16 and BF16 are known",
                            weights_.file_of(name).string(), name, to_string(tensor.type)));
  }
  if (tensor.shape != shape) {
    throw Error(ErrorCode::kInput, fmt::format("{}: tensor '{}' has shape [{}], config.json asks for [{}]",
                                               weights_.file_of(name).string(), name,
                                               fmt::join(tensor.shape, ", "), fmt::join(shape, ", ")));
  }
  used_.insert(name);
  return tensor;
}

std::vector<float> WeightReader::vector(const std::string& name, std::int64_t size) {
  std::vector<float> values(static_cast<std::size_t>(size));
  for_numbers(tensor(name, {size}), [&](std::size_t first, std::span<const float> numbers) {
    std::copy(numbers.begin(), numbers.end(), values.begin() + static_cast<std::ptrdiff_t>(first));
  });
  round_to(dtype_, values);
  return values;
}

MatrixView WeightReader::matrix(const std::string& name, const std::vector<std::int64_t>& shape) {
  const TensorView& stored = tensor(name, shape);
  const std::int64_t columns = shape.back();
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  MatrixView matrix{dtype_, stored.bytes.data(), rows, columns};
  if (dtype_of(stored.type) == dtype_ && aligned(stored.bytes.data(), dtype_)) return matrix;
  std::vector<std::byte>& copy =
      copies_.emplace_back(static_cast<std::size_t>(rows * columns) * size_of(dtype_));
  for_numbers(stored, [&](std::size_t first, std::span<const float> numbers) {
    narrow(dtype_, numbers, copy.data() + first * size_of(dtype_));
  });
  matrix.data = copy.data();
  return matrix;
}

Linear WeightReader::linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias) {
  Linear linear{matrix(name + ".weight", {rows, columns}), {}};
  if (bias) linear.bias = vector(name + ".bias", rows);
  return linear;
}

void WeightReader::refuse_unused() const {
  for (const std::string& name : weights_.names()) {
    if (used_.contains(name)) continue;
    throw Error(ErrorCode::kInput,
                fmt::format("{}: tensor '{}' has no place in the model that config.json describes",
                            weights_.file_of(name).string(), name));
  }
}

}  // namespace lil::record
