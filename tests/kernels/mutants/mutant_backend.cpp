// The emulated device of kernels_mutants: LIL_MUTANT names the planted fault, nothing or "" means none.

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "tests/kernels/emulated_backend.h"

// Each mutant is a compilation of one kernel's text in a namespace of its own.
// NOLINTBEGIN(bugprone-macro-parentheses): `kernel` is a name that is declared
#define LIL_MUTANT(name, kernel)                             \
  namespace lil::kernels::mutant_##name {                    \
    std::remove_pointer_t<decltype(Backend::kernel)> kernel; \
  }
#include "mutants.inc"
#undef LIL_MUTANT
// NOLINTEND(bugprone-macro-parentheses)

namespace lil::tests {
namespace {

kernels::Backend backend_with(const std::string& mutant) {
  kernels::Backend backend = kernels::cuda_backend();
  if (mutant.empty()) return backend;
#define LIL_MUTANT(name, kernel)                      \
  if (mutant == #name) {                              \
    backend.kernel = &kernels::mutant_##name::kernel; \
    return backend;                                   \
  }
#include "mutants.inc"
#undef LIL_MUTANT
  throw std::runtime_error("LIL_MUTANT=" + mutant + " is not in mutants.py");
}

}  // namespace

const kernels::Backend& emulated_backend() {
  static const kernels::Backend backend = [] {
    const char* mutant = std::getenv("LIL_MUTANT");
    return backend_with(mutant == nullptr ? "" : mutant);
  }();
  return backend;
}

}  // namespace lil::tests
