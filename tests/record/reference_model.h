#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "schemas/ids.h"
#include "tests/record/tiny_model.h"

namespace lil::tests {

/// Which tokens a token attends to in a layer, and where their keys and its query stand for RoPE.
struct AttentionView {
  std::vector<std::int64_t> tokens;
  std::vector<std::int64_t> key_positions;
  std::int64_t query_position = 0;
};

/// Of token `t` in layer `layer`.
using ViewOf = std::function<AttentionView(std::int64_t t, std::int64_t layer)>;

/// Every token before and itself, at their positions.
[[nodiscard]] AttentionView dense_view(std::int64_t t);

/// The slow twin of the recorder's model: plain loops in fp64 that compute every token of the sequence
/// anew, with a mask in place of a cache. Of llama, qwen2 and qwen2_moe, with experts one by one.
class ReferenceModel {
 public:
  explicit ReferenceModel(const TinyModel& model);

  /// Logits after the last token.
  [[nodiscard]] std::vector<double> logits(std::span<const schemas::TokenId> ids,
                                           const ViewOf& view_of) const;

 private:
  using Vector = std::vector<double>;

  [[nodiscard]] const TinyTensor& tensor(const std::string& name) const { return model_.tensors.at(name); }
  [[nodiscard]] Vector linear(const std::string& name, const Vector& x) const;
  [[nodiscard]] Vector norm(const std::string& name, const Vector& x) const;
  [[nodiscard]] Vector mlp(const std::string& prefix, const Vector& x) const;
  [[nodiscard]] Vector mixture(const std::string& prefix, const Vector& x) const;
  [[nodiscard]] Vector rotated(const Vector& x, std::size_t head, std::int64_t position) const;
  [[nodiscard]] std::vector<Vector> attention(const std::string& prefix, std::int64_t layer,
                                              const std::vector<Vector>& stream, const ViewOf& view_of) const;

  TinyModel model_;
  std::size_t head_dim_;
  Vector frequencies_;  ///< of each pair of channels
};

}  // namespace lil::tests
