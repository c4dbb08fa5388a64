#include <algorithm>
#include <memory>

#include "record/query_window.h"

namespace lil::record {
namespace {

class SnapKvState final : public QueryWindowSets {
 public:
  SnapKvState(const PolicyContext& context, const TokenSetOptions& options, std::int64_t window,
              std::int64_t pool)
      : QueryWindowSets(context, options, window, false), pool_(pool) {}

 protected:
  void score(const QueryWindowView& view, std::span<float> scores) const override {
    const std::vector<double> attention = pooled_attention(view, pool_);
    std::transform(attention.begin(), attention.end(), scores.begin(),
                   [](double weight) { return static_cast<float>(weight); });
  }

 private:
  std::int64_t pool_;
};

/// What the latest queries attend to, and the latest tokens [Li 2024, SnapKV], found anew during decoding
/// every so many steps. In that form it is the baseline of R-KV's public code: the group's greatest logit
/// first, then the softmax over the older keys alone. SnapKV's own code cuts the prompt once, with a softmax
/// of each query head over all keys.
class SnapKvPolicy final : public TokenSetPolicy {
 public:
  SnapKvPolicy(const TokenSetOptions& options, std::int64_t skip_layers, std::int64_t window,
               std::int64_t pool)
      : TokenSetPolicy(options, skip_layers), window_(window), pool_(pool) {}

  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<SnapKvState>(context, options(), window_, pool_);
  }

 private:
  std::int64_t window_;
  std::int64_t pool_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_snapkv_policy(const schemas::Arguments& arguments) {
  return std::make_unique<SnapKvPolicy>(query_window_options(arguments), arguments.integer("skip_layers"),
                                        arguments.integer("window"), arguments.integer("pool"));
}

}  // namespace lil::record
