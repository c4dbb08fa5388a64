#include "record/models/row_kernels.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <span>

#include "record/device.h"

namespace lil::record {
namespace {

kernels::LinearArgs linear_args(const MatrixView& matrix, std::int64_t rows, const Rows& x, const Rows& y) {
  return {.dtype = matrix.dtype,
          .rows = static_cast<std::int32_t>(rows),
          .inputs = matrix.columns,
          .outputs = matrix.rows,
          .weights = matrix.data,
          .weight_stride = matrix.columns,
          .x = x.data,
          .x_stride = x.width,
          .bias = nullptr,
          .y = y.data,
          .y_stride = y.width};
}

kernels::LinearArgs linear_args(const Linear& linear, std::int64_t rows, const Rows& x, const Rows& y) {
  kernels::LinearArgs args = linear_args(linear.matrix, rows, x, y);
  if (!linear.bias.empty()) args.bias = linear.bias.data();
  return args;
}

}  // namespace

void RowKernels::apply(const Linear& linear, std::int64_t rows, const Rows& x, const Rows& y) const {
  require_ok(kernels_.linear(linear_args(linear, rows, x, y), stream_), "linear");
}

void RowKernels::apply(std::initializer_list<Product> products, std::int64_t rows, const Rows& x) const {
  assert(products.size() <= kernels::kLinearTogether);
  std::array<kernels::LinearArgs, kernels::kLinearTogether> all;
  std::size_t count = 0;
  for (const Product& product : products) all[count++] = linear_args(*product.linear, rows, x, product.y);
  require_ok(kernels_.linear_together(all.data(), static_cast<std::int64_t>(count), stream_), "linear");
}

void RowKernels::apply(const MatrixView& matrix, std::int64_t rows, const Rows& x, const Rows& y) const {
  require_ok(kernels_.linear(linear_args(matrix, rows, x, y), stream_), "linear");
}

void RowKernels::norm(const std::vector<float>& weight, std::int64_t rows, const Rows& stream,
                      const float* branch, const Rows& y) const {
  const kernels::RmsNormArgs args{.dtype = dtype_,
                                  .rows = static_cast<std::int32_t>(rows),
                                  .columns = stream.width,
                                  .stream = stream.data,
                                  .stream_stride = stream.width,
                                  .branch = branch,
                                  .branch_stride = stream.width,
                                  .weight = weight.data(),
                                  .epsilon = epsilon_,
                                  .y = y.data,
                                  .y_stride = y.width};
  require_ok(kernels_.rms_norm(args, stream_), "rms_norm");
}

void RowKernels::silu_times(std::int64_t rows, const Rows& gate, const Rows& up) const {
  const kernels::SiluTimesArgs args{.dtype = dtype_,
                                    .rows = static_cast<std::int32_t>(rows),
                                    .columns = gate.width,
                                    .gate = gate.data,
                                    .gate_stride = gate.width,
                                    .up = up.data,
                                    .up_stride = up.width};
  require_ok(kernels_.silu_times(args, stream_), "silu_times");
}

void RowKernels::round(std::int64_t rows, const Rows& values) const {
  if (dtype_ == DType::kFp32) return;
  cast({.dtype = dtype_,
        .in_dtype = DType::kFp32,
        .out_dtype = DType::kFp32,
        .rows = static_cast<std::int32_t>(rows),
        .columns = values.width,
        .in = values.data,
        .in_stride = values.width,
        .bias = nullptr,
        .out = values.data,
        .out_stride = values.width});
}

void RowKernels::narrow(std::int64_t rows, const Rows& from, void* to) const {
  cast({.dtype = dtype_,
        .in_dtype = DType::kFp32,
        .out_dtype = dtype_,
        .rows = static_cast<std::int32_t>(rows),
        .columns = from.width,
        .in = from.data,
        .in_stride = from.width,
        .bias = nullptr,
        .out = to,
        .out_stride = from.width});
}

void RowKernels::widen(std::int64_t rows, const void* from, const Rows& to) const {
  cast({.dtype = dtype_,
        .in_dtype = dtype_,
        .out_dtype = DType::kFp32,
        .rows = static_cast<std::int32_t>(rows),
        .columns = to.width,
        .in = from,
        .in_stride = to.width,
        .bias = nullptr,
        .out = to.data,
        .out_stride = to.width});
}

void RowKernels::cast(const kernels::CastRowsArgs& args) const {
  require_ok(kernels_.cast_rows(args, stream_), "cast_rows");
}

}  // namespace lil::record
