#include <cassert>
#include <memory>

#include "record/attention_policy.h"

namespace lil::record {
namespace {

class FullPolicy final : public AttentionPolicy {
 public:
  [[nodiscard]] std::int64_t dense_layers(std::int64_t layers) const override { return layers; }
  [[nodiscard]] std::int64_t groups_needed(std::int64_t /*layers*/, std::int64_t /*prompt_tokens*/,
                                           std::int64_t /*total_tokens*/) const override {
    return 0;
  }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& /*context*/) const override {
    assert(false && "all layers are dense");
    return nullptr;
  }
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_full_policy(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<FullPolicy>();
}

}  // namespace lil::record
