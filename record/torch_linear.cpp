#include "record/torch_linear.h"

// clang-format off
#include <ATen/core/ivalue.h>  // first: the headers below use its type before it is whole, which clang refuses
// clang-format on

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>

namespace lil::record {
namespace {

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return at::kFloat;
    case DType::kBf16:
      return at::kBFloat16;
    case DType::kFp16:
      return at::kHalf;
  }
  return at::kFloat;
}

// torch wants a pointer it could write through; inputs are only read.
at::Tensor wrap(const void* data, std::int64_t rows, std::int64_t columns, at::ScalarType type) {
  return at::from_blob(const_cast<void*>(data), {rows, columns}, at::TensorOptions().dtype(type));
}

}  // namespace

void use_one_torch_thread() {
  at::set_num_threads(1);
  // OpenBLAS has threads of its own, which torch does not know how to stop.
  using SetThreads = void (*)(int);
  if (void* symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"); symbol != nullptr) {
    reinterpret_cast<SetThreads>(symbol)(1);
  }
}

void multiply_rows(const MatrixView& matrix, std::int64_t rows, const float* x, float* y) {
  const c10::InferenceMode no_autograd;
  const at::ScalarType type = scalar_type(matrix.dtype);
  const at::Tensor weights = wrap(matrix.data, matrix.rows, matrix.columns, type).t();
  const at::Tensor input = wrap(x, rows, matrix.columns, at::kFloat);
  at::Tensor output = wrap(y, rows, matrix.rows, at::kFloat);
  if (matrix.dtype == DType::kFp32) {
    at::mm_out(output, input, weights);
  } else if (matrix.dtype == DType::kBf16) {
    output.copy_(at::mm(input.to(type), weights));
  } else {
    // The CPU has no product of halves in every version of torch.
    output.copy_(at::mm(input, weights.to(at::kFloat)).to(type));
  }
}

}  // namespace lil::record
