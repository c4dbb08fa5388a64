#pragma once

#include <cstdint>
#include <initializer_list>

#include "kernels/backend.h"
#include "record/dtype.h"
#include "record/models/weight_reader.h"

namespace lil::record {

/// Rows of fp32 numbers in memory, next to each other.
struct Rows {
  float* data = nullptr;
  std::int64_t width = 0;

  [[nodiscard]] float* at(std::int64_t row) const { return data + row * width; }
  [[nodiscard]] Rows from(std::int64_t row) const { return {at(row), width}; }
};

/// y = linear(x), one of several that are worked off together.
struct Product {
  const Linear* linear = nullptr;
  Rows y;
};

/// The CPU's kernels on rows of activations, with everything that stays the same filled in. Up to kLinearRows
/// rows a call.
class RowKernels {
 public:
  RowKernels(DType dtype, float epsilon, kernels::Stream stream)
      : dtype_(dtype), epsilon_(epsilon), stream_(stream) {}

  [[nodiscard]] DType dtype() const { return dtype_; }
  /// y = linear(x), not rounded.
  void apply(const Linear& linear, std::int64_t rows, const Rows& x, const Rows& y) const;
  void apply(const MatrixView& matrix, std::int64_t rows, const Rows& x, const Rows& y) const;
  /// Up to kLinearTogether products of the same x, faster than one by one.
  void apply(std::initializer_list<Product> products, std::int64_t rows, const Rows& x) const;
  /// stream += branch where there is one, then y = its norm; as kernels/rms_norm.h says.
  void norm(const std::vector<float>& weight, std::int64_t rows, const Rows& stream, const float* branch,
            const Rows& y) const;
  /// gate = silu(gate) * up.
  void silu_times(std::int64_t rows, const Rows& gate, const Rows& up) const;
  void round(std::int64_t rows, const Rows& values) const;
  /// From fp32 to numbers of the model's type, and back.
  void narrow(std::int64_t rows, const Rows& from, void* to) const;
  void widen(std::int64_t rows, const void* from, const Rows& to) const;

 private:
  void cast(const kernels::CastRowsArgs& args) const;

  const kernels::Backend& kernels_ = kernels::cpu_backend();
  DType dtype_;
  float epsilon_;
  kernels::Stream stream_;
};

}  // namespace lil::record
