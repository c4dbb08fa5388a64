#include "record/layer_ops.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

namespace lil::record {
namespace {

// Four floats that every 64-bit machine adds at once; the compiler may not reorder a plain sum.
using Lanes = float __attribute__((vector_size(16)));
constexpr std::size_t kLane = 4;

/// Rows that go together, so that each number of the vector is loaded once for all of them.
constexpr std::size_t kRows = 4;

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

/// A dot product under way. The order of its additions is the same whether rows go alone or together.
struct DotSum {
  Lanes even{};
  Lanes odd{};
  float tail = 0;

  void add_pair(const float* row, Lanes first, Lanes second) {
    even += load(row) * first;
    odd += load(row + kLane) * second;
  }
  [[nodiscard]] float total() const {
    const Lanes sum = even + odd;
    return ((sum[0] + sum[2]) + (sum[1] + sum[3])) + tail;
  }
};

float dot(const float* row, const float* x, std::size_t n) {
  DotSum sum;
  std::size_t i = 0;
  for (; i + 2 * kLane <= n; i += 2 * kLane) sum.add_pair(row + i, load(x + i), load(x + i + kLane));
  for (; i < n; ++i) sum.tail += row[i] * x[i];
  return sum.total();
}

using FourRows = std::array<const float*, kRows>;

void dot_four(const FourRows& rows, const float* x, std::size_t n, float* out) {
  DotSum a;
  DotSum b;
  DotSum c;
  DotSum d;
  std::size_t i = 0;
  for (; i + 2 * kLane <= n; i += 2 * kLane) {
    const Lanes first = load(x + i);
    const Lanes second = load(x + i + kLane);
    a.add_pair(rows[0] + i, first, second);
    b.add_pair(rows[1] + i, first, second);
    c.add_pair(rows[2] + i, first, second);
    d.add_pair(rows[3] + i, first, second);
  }
  for (; i < n; ++i) {
    a.tail += rows[0][i] * x[i];
    b.tail += rows[1][i] * x[i];
    c.tail += rows[2][i] * x[i];
    d.tail += rows[3][i] * x[i];
  }
  out[0] = a.total();
  out[1] = b.total();
  out[2] = c.total();
  out[3] = d.total();
}

/// out[r] = rows[r] * x for every row.
template <class RowAt>
void dots(std::size_t rows, RowAt row_at, const float* x, std::size_t n, float* out) {
  std::size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    dot_four({row_at(r), row_at(r + 1), row_at(r + 2), row_at(r + 3)}, x, n, out + r);
  }
  for (; r < rows; ++r) out[r] = dot(row_at(r), x, n);
}

// A row of a narrow type is widened piece by piece: the piece stays in the first-level cache.
float dot_widened(DType dtype, const std::byte* row, std::span<const float> x) {
  std::array<float, 512> piece;
  float sum = 0;
  for (std::size_t i = 0; i < x.size(); i += piece.size()) {
    const std::size_t n = std::min(piece.size(), x.size() - i);
    widen(dtype, row + i * bytes_of(dtype), std::span(piece).first(n));
    sum += dot(piece.data(), x.data() + i, n);
  }
  return sum;
}

/// sum[i] += weights[r] * rows[r][i], row after row.
void add_weighted(const FourRows& rows, const float* weights, std::size_t n, float* sum) {
  std::size_t i = 0;
  for (; i + kLane <= n; i += kLane) {
    Lanes lanes = load(sum + i);
    for (std::size_t r = 0; r < kRows; ++r) lanes += weights[r] * load(rows[r] + i);
    std::memcpy(sum + i, &lanes, sizeof(lanes));
  }
  for (; i < n; ++i) {
    for (std::size_t r = 0; r < kRows; ++r) sum[i] += weights[r] * rows[r][i];
  }
}

/// Turns scores into weights that sum to 1.
void softmax(std::span<float> scores) {
  const float most = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (float& score : scores) score /= sum;
}

void mix_values(std::span<const float> weights, std::span<const float* const> values, std::span<float> out) {
  std::size_t j = 0;
  for (; j + kRows <= values.size(); j += kRows) {
    add_weighted({values[j], values[j + 1], values[j + 2], values[j + 3]}, weights.data() + j, out.size(),
                 out.data());
  }
  for (; j < values.size(); ++j) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weights[j] * values[j][i];
  }
}

}  // namespace

void multiply(const MatrixView& matrix, std::span<const float> x, std::span<float> y) {
  assert(static_cast<std::int64_t>(x.size()) == matrix.columns);
  assert(static_cast<std::int64_t>(y.size()) == matrix.rows);
  if (matrix.dtype == DType::kFp32) {
    const auto* data = reinterpret_cast<const float*>(matrix.data);
    dots(
        y.size(), [&](std::size_t r) { return data + r * x.size(); }, x.data(), x.size(), y.data());
    return;
  }
  const std::size_t stride = x.size() * bytes_of(matrix.dtype);
  for (std::size_t r = 0; r < y.size(); ++r) y[r] = dot_widened(matrix.dtype, matrix.data + r * stride, x);
}

void rms_norm(DType dtype, std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> y) {
  const float mean = dot(x.data(), x.data(), x.size()) / static_cast<float>(x.size());
  const float scale = 1.0F / std::sqrt(mean + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale;
  round_to(dtype, y);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] *= weight[i];
  round_to(dtype, y);
}

void silu_times(DType dtype, std::span<float> gate, std::span<const float> up) {
  for (float& value : gate) value = value / (1.0F + std::exp(-value));
  round_to(dtype, gate);
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i];
  round_to(dtype, gate);
}

void add(DType dtype, std::span<float> x, std::span<const float> y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  round_to(dtype, x);
}

void attend(const Attention& attention, std::span<float> weights, std::span<float> out) {
  const auto d = static_cast<std::size_t>(attention.head_dim);
  const std::size_t group = attention.queries.size() / d;
  const std::size_t tokens = attention.keys.size();
  assert(tokens > 0 && weights.size() >= group * tokens && out.size() == group * d);
  const float scale = 1.0F / std::sqrt(static_cast<float>(d));
  for (std::size_t h = 0; h < group; ++h) {
    const auto scores = weights.subspan(h * tokens, tokens);
    const float* query = attention.queries.data() + h * d;
    dots(
        tokens, [&](std::size_t j) { return attention.keys[j]; }, query, d, scores.data());
    for (float& score : scores) score *= scale;
    softmax(scores);
  }
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t h = 0; h < group; ++h) {
    mix_values(weights.subspan(h * tokens, tokens), attention.values, out.subspan(h * d, d));
  }
}

}  // namespace lil::record
