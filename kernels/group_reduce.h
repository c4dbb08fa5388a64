#pragma once

#include <cstdint>

namespace lil::kernels {

/// How the scores of the query heads that share a kv head become one. Heads are taken in ascending order.
enum class GroupReduce : std::int32_t { kSum, kMean, kMax };

}  // namespace lil::kernels
