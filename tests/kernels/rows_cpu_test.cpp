// rms_norm, silu_times and cast_rows: on the processor alone, each on all of its vector targets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/half.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/targets.h"

namespace lil::tests {
namespace {

using kernels::DType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
/// Around vectors, lanes and the pieces in which rows are worked on.
constexpr std::array<std::int64_t, 11> kColumns = {1, 7, 15, 16, 17, 64, 255, 256, 257, 576, 2049};

float round_to(DType dtype, float value) {
  kernels::for_dtype(
      dtype, [&](auto zero) { value = kernels::to_float(kernels::from_float<decltype(zero)>(value)); });
  return value;
}

/// Rows of `columns` numbers, with what nothing wrote between them.
struct Rows {
  std::int64_t columns = 0;
  std::int64_t stride = 0;
  std::vector<float> values;

  Rows(std::int32_t rows, std::int64_t some_columns, std::int64_t gap, float size, Random& random)
      : columns(some_columns), stride(some_columns + gap), values(poisoned(rows * stride)) {
    for (std::int64_t i = 0; i < rows * columns; ++i) at(i / columns, i % columns) = size * random.normal();
  }
  float& at(std::int64_t row, std::int64_t i) { return values[row * stride + i]; }
  [[nodiscard]] float at(std::int64_t row, std::int64_t i) const { return values[row * stride + i]; }
  void round_all(DType dtype) {
    for (float& value : values) value = is_poison(value) ? value : round_to(dtype, value);
  }
};

class RowOps : public KernelTest {};
LIL_ON_CPU(RowOps);

/// What rms_norm.h says, one number after another.
void normalise_slowly(DType dtype, std::int64_t row, Rows& stream, const Rows* branch, const Rows& weight,
                      Rows& y) {
  std::array<float, 16> lanes{};
  for (std::int64_t i = 0; i < stream.columns; ++i) {
    float& x = stream.at(row, i);
    if (branch != nullptr) x = round_to(dtype, x + round_to(dtype, branch->at(row, i)));
    lanes[i % 16] += x * x;
  }
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  const float scale = 1.0F / std::sqrt(lanes[0] / static_cast<float>(stream.columns) + 1e-5F);
  for (std::int64_t i = 0; i < stream.columns; ++i) {
    y.at(row, i) = round_to(dtype, round_to(dtype, stream.at(row, i) * scale) * weight.at(0, i));
  }
}

// Exact, so no result depends on rows, threads or vectors either.
TEST_P(RowOps, RmsNormIsItsSlowTwin) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t columns : kColumns) {
      for (const bool has_branch : {false, true}) {
        for (const std::int32_t rows : {1, 3, 40}) {
          SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << columns << " columns, " << rows
                                          << " rows, branch " << has_branch);
          Random random(7);
          Rows residual(rows, columns, 3, 4, random);
          residual.round_all(dtype);
          const Rows branch(rows, columns, 1, 2, random);
          const Rows weight(1, columns, 0, 1, random);
          Rows y(rows, columns, 2, 1, random);
          const Rows before = residual;
          for (std::int32_t row = 0; row < rows; ++row) {
            normalise_slowly(dtype, row, residual, has_branch ? &branch : nullptr, weight, y);
          }
          const DeviceArray<float> device_branch(device(), "branch", branch.values);
          const DeviceArray<float> device_weight(device(), "weight", weight.values);
          for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
            SCOPED_TRACE(hwy::TargetName(target));
            const OnlyTarget only(target);
            const DeviceArray<float> device_stream(device(), "stream", before.values);
            const DeviceArray<float> device_y(device(), "y", static_cast<std::int64_t>(y.values.size()));
            run_and_repeat([&] {
              return backend().rms_norm({.dtype = dtype,
                                         .rows = rows,
                                         .columns = columns,
                                         .stream = device_stream.data(),
                                         .stream_stride = residual.stride,
                                         .branch = has_branch ? device_branch.data() : nullptr,
                                         .branch_stride = branch.stride,
                                         .weight = device_weight.data(),
                                         .epsilon = 1e-5F,
                                         .y = device_y.data(),
                                         .y_stride = y.stride},
                                        stream());
            });
            ASSERT_EQ(bits_of(device_stream.read()), bits_of(residual.values));
            ASSERT_EQ(bits_of(device_y.read()), bits_of(y.values));
          }
        }
      }
    }
  }
}

/// Whether `actual` can come of a silu that is off by no more than `units` in fp32's last place.
bool is_right_silu(DType dtype, float gate, float up, float actual, double units) {
  const double x = round_to(dtype, gate);
  const double exact = x / (1 + std::exp(-x));
  const double slack = units * 0x1p-23 * std::abs(exact) + 0x1p-126;
  const float factor = round_to(dtype, up);
  const float one = round_to(dtype, round_to(dtype, static_cast<float>(exact - slack)) * factor);
  const float other = round_to(dtype, round_to(dtype, static_cast<float>(exact + slack)) * factor);
  return actual >= std::min(one, other) && actual <= std::max(one, other);
}

TEST_P(RowOps, SiluTimesIsRightAndTheFusedTargetsHaveTheSameBits) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t columns : {1L, 17L, 256L, 1536L, 5000L}) {
      const std::int32_t rows = 5;
      Random random(11);
      const Rows gate(rows, columns, 3, 6, random);
      const Rows up(rows, columns, 1, 2, random);
      const DeviceArray<float> device_up(device(), "up", up.values);
      std::vector<std::uint32_t> fused;
      for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        SCOPED_TRACE(testing::Message() << name_of(dtype) << columns << hwy::TargetName(target));
        const OnlyTarget only(target);
        const DeviceArray<float> result(device(), "gate", gate.values);
        run_and_repeat([&] {
          return backend().silu_times(
              {dtype, rows, columns, result.data(), gate.stride, device_up.data(), up.stride}, stream());
        });
        const std::vector<float> now = result.read();
        for (std::int64_t i = 0; i < rows * columns; ++i) {
          const std::int64_t row = i / columns;
          const std::int64_t column = i % columns;
          ASSERT_TRUE(is_right_silu(dtype, gate.at(row, column), up.at(row, column),
                                    now[row * gate.stride + column], 4))
              << gate.at(row, column) << ", " << up.at(row, column) << ": "
              << now[row * gate.stride + column];
        }
        EXPECT_EQ(std::count_if(now.begin(), now.end(), [](float x) { return !is_poison(x); }),
                  rows * columns);
        if (!is_fused(target)) continue;
        fused = fused.empty() ? bits_of(now) : fused;
        EXPECT_EQ(bits_of(now), fused);
      }
    }
  }
}

// Every tenth of the range, and where it ends.
TEST_P(RowOps, SiluOfGreatAndSmallNumbers) {
  std::vector<float> gate{0.0F, -0.0F, 1e-40F, 3e38F, -3e38F, kInfinity, -85.0F, -88.0F, -1000.0F};
  for (float x = -86; x < 90; x += 0.1F) gate.push_back(x);
  const auto count = static_cast<std::int64_t>(gate.size());
  const std::vector<float> up(gate.size(), 1.0F);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const OnlyTarget only(target);
    const DeviceArray<float> device_up(device(), "up", up);
    const DeviceArray<float> result(device(), "gate", gate);
    run([&] {
      return backend().silu_times({DType::kFp32, 1, count, result.data(), count, device_up.data(), count},
                                  stream());
    });
    const std::vector<float> now = result.read();
    for (std::size_t i = 0; i < gate.size(); ++i) {
      if (std::isinf(gate[i])) {
        EXPECT_EQ(now[i], gate[i]);
      } else if (gate[i] < -86) {
        EXPECT_EQ(now[i], 0) << gate[i];
      } else {
        EXPECT_TRUE(is_right_silu(DType::kFp32, gate[i], 1, now[i], 4)) << gate[i] << ": " << now[i];
      }
    }
  }
}

/// Every number of a 16-bit type, what lies halfway between it and the next, and a hair to either side.
std::vector<float> hard_to_round(DType dtype) {
  std::vector<float> values{1e-45F, -1e-45F, 3e38F, -3e38F, 65519.9F, 65520.0F, kInfinity, -kInfinity};
  kernels::for_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, float>) {
      for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
        const float value = kernels::to_float(T{static_cast<std::uint16_t>(bits)});
        const float next = kernels::to_float(T{static_cast<std::uint16_t>(bits + 1)});
        if (!std::isfinite(value) || !std::isfinite(next)) continue;
        const float halfway = value / 2 + next / 2;
        for (const float x :
             {value, std::nextafter(halfway, value), halfway, std::nextafter(halfway, next)}) {
          values.push_back(x);
        }
      }
    }
  });
  return values;
}

/// NaNs as cast_rows gets them: a host vector's would be poison, so these are put in by their bits.
constexpr std::array<std::uint32_t, 5> kNans = {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xff800001U,
                                                0xffc12345U};

TEST_P(RowOps, CastRowsHasTheBitsOfHalf) {
  for (const DType dtype : kDTypes) {
    std::vector<float> values = hard_to_round(dtype);
    for (const std::uint32_t bits : kNans) values.push_back(std::bit_cast<float>(bits));
    const auto count = static_cast<std::int64_t>(values.size());
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << hwy::TargetName(target));
      const OnlyTarget only(target);
      std::vector<float> in_place = values;
      std::vector<float> widened(values.size());
      kernels::for_dtype(dtype, [&](auto zero) {
        using T = decltype(zero);
        std::vector<T> narrowed(values.size());
        const auto cast = [&](DType in_dtype, DType out_dtype, const void* in, void* out) {
          const kernels::CastRowsArgs args{dtype, in_dtype, out_dtype, 1,   count,
                                           in,    count,    nullptr,   out, count};
          EXPECT_EQ(backend().cast_rows(args, stream()), kernels::Status::kOk);
        };
        cast(DType::kFp32, dtype, values.data(), narrowed.data());
        cast(dtype, DType::kFp32, narrowed.data(), widened.data());
        cast(DType::kFp32, DType::kFp32, in_place.data(), in_place.data());
        for (std::size_t i = 0; i < values.size(); ++i) {
          const T expected = kernels::from_float<T>(values[i]);
          ASSERT_EQ(std::memcmp(&narrowed[i], &expected, sizeof(T)), 0) << values[i];
          ASSERT_EQ(std::bit_cast<std::uint32_t>(in_place[i]),
                    std::bit_cast<std::uint32_t>(round_to(dtype, values[i])))
              << values[i];
          if (std::isnan(values[i])) {
            ASSERT_TRUE(std::isnan(widened[i]));
          } else {
            ASSERT_EQ(std::bit_cast<std::uint32_t>(widened[i]),
                      std::bit_cast<std::uint32_t>(round_to(dtype, values[i])))
                << values[i];
          }
        }
      });
    }
  }
}

TEST_P(RowOps, CastRowsAddsTheBiasFirst) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t columns : {1L, 17L, 257L, 8200L, 20000L}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << columns);
      Random random(13);
      const std::int32_t rows = 3;
      const Rows in(rows, columns, 5, 1, random);
      const Rows bias(1, columns, 0, 1, random);
      std::vector<double> expected;
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        expected.push_back(round_to(dtype, in.at(i / columns, i % columns) + bias.at(0, i % columns)));
      }
      const DeviceArray<float> device_in(device(), "in", in.values);
      const DeviceArray<float> device_bias(device(), "bias", bias.values);
      const DeviceTensor out(device(), "out", dtype, rows * columns);
      run_and_repeat([&] {
        return backend().cast_rows({.dtype = dtype,
                                    .out_dtype = dtype,
                                    .rows = rows,
                                    .columns = columns,
                                    .in = device_in.data(),
                                    .in_stride = in.stride,
                                    .bias = device_bias.data(),
                                    .out = out.data(),
                                    .out_stride = columns},
                                   stream());
      });
      EXPECT_EQ(out.read(), expected);
    }
  }
}

}  // namespace
}  // namespace lil::tests
