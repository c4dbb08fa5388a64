#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "record/dtype.h"
#include "record/weights/safetensors.h"

namespace lil::record {

/// A weight matrix in memory: (rows, columns), row-major, aligned to its type. Not owned.
struct MatrixView {
  DType dtype = DType::kFp32;
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  /// Rows [first, first + count).
  [[nodiscard]] MatrixView part(std::int64_t first, std::int64_t count) const {
    return {dtype, data + first * columns * kernels::bytes_of(dtype), count, columns};
  }
};

/// A linear map: a matrix, and its bias in fp32, empty where it has none.
struct Linear {
  MatrixView matrix;
  std::vector<float> bias;
};

/// Reads a checkpoint's tensors in one type: in the mapped file where type and alignment allow, else as a
/// converted copy, once. What it hands out lives as long as the reader. Throws Error from each call:
/// kNotFound naming a tensor that is missing, kInput one that has another shape than asked for or a type that
/// is not F32, F16 or BF16.
class WeightReader {
 public:
  WeightReader(const std::filesystem::path& folder, DType dtype) : weights_(folder), dtype_(dtype) {}

  /// In fp32, rounded to what the type holds.
  [[nodiscard]] std::vector<float> vector(const std::string& name, std::int64_t size);
  /// All of a tensor; one of shape (a, b, c) as (a * b, c).
  [[nodiscard]] MatrixView matrix(const std::string& name, const std::vector<std::int64_t>& shape);
  /// `name`.weight and, where asked for, `name`.bias.
  [[nodiscard]] Linear linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias);

  [[nodiscard]] const ModelWeights& weights() const { return weights_; }
  /// Says that the model may leave this tensor alone.
  void ignore(const std::string& name) { used_.insert(name); }
  /// Throws Error(kInput) naming a tensor that nothing asked for: a part of the model that would be missing.
  void refuse_unused() const;

 private:
  const TensorView& tensor(const std::string& name, const std::vector<std::int64_t>& shape);

  ModelWeights weights_;
  DType dtype_;
  std::set<std::string> used_;
  std::deque<std::vector<std::byte>> copies_;
};

}  // namespace lil::record
