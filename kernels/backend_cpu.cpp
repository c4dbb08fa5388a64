#include "kernels/launchers.h"

namespace lil::kernels {

const Backend& cpu_backend() {
  static const Backend backend{"cpu",
                               cpu::append,
                               cpu::rotate,
                               cpu::decode_attention,
                               cpu::merge_states,
                               cpu::accumulate_scores,
                               cpu::page_bounds,
                               cpu::page_scores,
                               cpu::topk,
                               cpu::compact,
                               cpu::copy_rows,
                               cpu::linear,
                               cpu::linear_together,
                               cpu::rms_norm,
                               cpu::silu_times,
                               cpu::cast_rows,
                               cpu::distribution};
  return backend;
}

}  // namespace lil::kernels
