#include <memory>

#include "record/attention_policy.h"

namespace lil::record {
namespace {

class KeepAll final : public SequencePolicy {
 public:
  void evict(std::int64_t /*layer*/, std::int64_t /*kv_head*/, std::span<const std::int32_t> /*positions*/,
             std::vector<std::int32_t>& /*places*/) override {}
};

class FullPolicy final : public AttentionPolicy {
 public:
  [[nodiscard]] KeyPlacement placement(std::int64_t /*layer*/) const override { return {}; }
  [[nodiscard]] std::unique_ptr<SequencePolicy> start(const SequenceShape& /*shape*/) const override {
    return std::make_unique<KeepAll>();
  }
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_full_policy(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<FullPolicy>();
}

}  // namespace lil::record
