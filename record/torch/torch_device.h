#pragma once

#include <memory>

#include "kernels/backend.h"
#include "record/device.h"

namespace lil::record {

/// A device of libtorch, `cpu` or `cuda`, with the kernels of `backend`, which work on what `stream` returns:
/// there it must be the stream of libtorch's own operations. `name` is kept, not copied.
[[nodiscard]] std::unique_ptr<Device> make_torch_device(const char* name, const kernels::Backend& backend,
                                                        kernels::Stream (*stream)());

}  // namespace lil::record
