#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "record/dtype.h"

namespace lil::record {

// The operations of a decoder layer on rows of fp32 numbers that hold values of the model's type. Each
// result is summed in one fixed order that depends on the sizes alone. No allocation, no threads.

/// A weight matrix in memory: (rows, columns), row-major, aligned to its type. Not owned.
struct MatrixView {
  DType dtype = DType::kFp32;
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// y = matrix * x, not rounded to the model's type. x: (columns), y: (rows).
void multiply(const MatrixView& matrix, std::span<const float> x, std::span<float> y);

/// y = round(x / sqrt(mean(x^2) + epsilon)) * weight, rounded [Zhang 2019; the order of Llama].
void rms_norm(DType dtype, std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> y);

/// gate = round(round(silu(gate)) * up).
void silu_times(DType dtype, std::span<float> gate, std::span<const float> up);

/// x = round(x + y).
void add(DType dtype, std::span<float> x, std::span<const float> y);

/// The attention of one token's query heads that share a kv head.
struct Attention {
  std::span<const float> queries;        ///< (group, head_dim), rotated
  std::span<const float* const> keys;    ///< (tokens) rows of head_dim, rotated
  std::span<const float* const> values;  ///< (tokens) rows of head_dim
  std::int64_t head_dim = 0;
};

/// out = softmax(q k / sqrt(head_dim)) v for each query head, in fp32, not rounded. out: (group, head_dim);
/// weights: scratch of (group, tokens), left holding the softmax weights. At least one token.
void attend(const Attention& attention, std::span<float> weights, std::span<float> out);

}  // namespace lil::record
