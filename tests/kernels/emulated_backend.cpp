#include "tests/kernels/emulated_backend.h"

namespace lil::tests {

const kernels::Backend& emulated_backend() {
  return kernels::cuda_backend();
}

}  // namespace lil::tests
