#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/device.h"
#include "record/model_config.h"
#include "record/models/checkpoint.h"
#include "record/models/row_kernels.h"

namespace lil::record {

/// Runs gated MLPs on tiles of rows.
class MlpRunner {
 public:
  /// For MLPs of up to `widest` hidden numbers.
  MlpRunner(const RowKernels& kernels, Device& device, std::int64_t widest);

  /// y = mlp(x) for up to kLinearRows rows, not rounded. y may be x.
  void run(const GatedMlp& mlp, std::int64_t rows, const Rows& x, const Rows& y);

 private:
  const RowKernels& kernels_;
  DeviceArray<float> gate_;
  DeviceArray<float> up_;
};

/// What takes the MLP's place in a layer with experts (qwen2_moe): a softmax in fp32 over all experts, of
/// which each row picks the best (on equality the lower number), and a shared expert behind a gate. An
/// expert's weights are read once for every 16 rows that picked it. A row's experts are added in ascending
/// order, so its result is the same whatever the other rows picked.
class ExpertMixer {
 public:
  ExpertMixer(const RowKernels& kernels, Device& device, const ModelConfig& config);

  /// y = the sum of what experts gave for x; x and y: `rows` rows of hidden numbers, apart.
  void run(const Experts& experts, std::int64_t rows, const Rows& x, const Rows& y);

 private:
  struct Choice {
    std::int64_t expert = 0;
    float weight = 0;
  };
  struct Pick {
    std::int64_t row = 0;
    float weight = 0;
  };

  void route(const Experts& experts, std::int64_t rows, const Rows& x);
  void choose(std::span<float> scores, std::span<Choice> choices);
  void find_picks(std::int64_t expert, std::int64_t rows);
  void run_expert(const GatedMlp& expert, const Rows& x, const Rows& y);
  void add_shared(const Experts& experts, std::int64_t first, std::int64_t rows, const Rows& x,
                  const Rows& y);
  /// sum += weight * given, for one row; `given` is used up.
  void add_weighted(float weight, const Rows& given, const Rows& sum) const;

  const RowKernels& kernels_;
  const MoeConfig& moe_;
  MlpRunner mlp_;
  DeviceArray<float> x_;    ///< a tile of rows that picked an expert
  DeviceArray<float> out_;  ///< what it gave for them
  DeviceArray<float> scores_;
  std::vector<Choice> choices_;      ///< (rows, experts per token)
  std::vector<std::int64_t> order_;  ///< experts, best first
  std::vector<Pick> picks_;          ///< rows of one expert, ascending
};

}  // namespace lil::record
