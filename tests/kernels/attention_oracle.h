#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/dtype.h"
#include "tests/kernels/harness.h"

namespace lil::tests {

struct AttentionShape {
  kernels::DType dtype = kernels::DType::kFp32;
  std::int32_t head_dim = 64;
  std::int32_t group = 1;
  std::int32_t page_size = 16;
  float scale = 0.125F;
};

/// A query token and its list, with values that the shape's type holds exactly.
struct AttentionRequest {
  std::int64_t tokens = 0;
  std::vector<float> queries;  ///< (group, head_dim)
  std::vector<float> keys;     ///< (tokens, head_dim)
  std::vector<float> values;   ///< (tokens, head_dim)
};

/// Attention over some entries in fp64.
struct ExactAttention {
  std::vector<double> logits;  ///< (group, entries)
  std::vector<double> lse;     ///< (group)
  std::vector<double> out;     ///< (group, head_dim)
};

inline std::vector<float> round_all(kernels::DType dtype, std::vector<float> values) {
  for (float& value : values) {
    value = static_cast<float>(rounded(dtype, value));
  }
  return values;
}

inline AttentionRequest random_request(const AttentionShape& shape, std::int64_t tokens, Random& random) {
  const std::int64_t head_dim = shape.head_dim;
  return {tokens, round_all(shape.dtype, random.floats(shape.group * head_dim)),
          round_all(shape.dtype, random.floats(tokens * head_dim)),
          round_all(shape.dtype, random.floats(tokens * head_dim))};
}

inline std::vector<AttentionRequest> random_requests(const AttentionShape& shape,
                                                     const std::vector<std::int64_t>& tokens) {
  Random random(11);
  std::vector<AttentionRequest> requests;
  requests.reserve(tokens.size());
  for (const std::int64_t count : tokens) {
    requests.push_back(random_request(shape, count, random));
  }
  return requests;
}

inline double exact_dot(const float* a, const float* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += double{a[i]} * b[i];
  }
  return sum;
}

/// Over entries [first, first + count); no entries have lse = -inf and out = 0.
inline ExactAttention exact_attention(const AttentionShape& shape, const AttentionRequest& request,
                                      std::int64_t first, std::int64_t count) {
  const std::int64_t head_dim = shape.head_dim;
  ExactAttention exact;
  for (std::int64_t head = 0; head < shape.group; ++head) {
    std::vector<double> weights;
    for (std::int64_t j = first; j < first + count; ++j) {
      weights.push_back(shape.scale * exact_dot(request.queries.data() + head * head_dim,
                                                request.keys.data() + j * head_dim, head_dim));
    }
    exact.logits.insert(exact.logits.end(), weights.begin(), weights.end());
    const double most = count == 0 ? -std::numeric_limits<double>::infinity()
                                   : *std::max_element(weights.begin(), weights.end());
    double total = 0;
    for (double& weight : weights) {
      weight = std::exp(weight - most);
      total += weight;
    }
    exact.lse.push_back(most + std::log(total));
    std::vector<double> out(static_cast<std::size_t>(head_dim));
    for (std::int64_t j = 0; j < count; ++j) {
      const float* value = request.values.data() + (first + j) * head_dim;
      for (std::int64_t i = 0; i < head_dim; ++i) {
        out[i] += weights[j] / total * value[i];
      }
    }
    exact.out.insert(exact.out.end(), out.begin(), out.end());
  }
  return exact;
}

}  // namespace lil::tests
