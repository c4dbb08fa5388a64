#include <device_access.cuh>

#include "kernels/launchers.h"

namespace lil::kernels {

const Backend& cuda_backend() {
  static const Backend backend{simt::kBackendName,
                               cuda::append,
                               cuda::rotate,
                               cuda::decode_attention,
                               cuda::merge_states,
                               cuda::accumulate_scores,
                               cuda::page_bounds,
                               cuda::page_scores,
                               cuda::topk,
                               cuda::compact,
                               cuda::copy_rows,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr};
  return backend;
}

}  // namespace lil::kernels
