#include <memory>

#include "record/token_sets.h"

namespace lil::record {
namespace {

/// Attention sinks and a window [Xiao 2024, StreamingLLM]: nothing has a score, so the oldest go.
class SinkPolicy final : public TokenSetPolicy {
 public:
  using TokenSetPolicy::TokenSetPolicy;

  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<TokenSets>(context, options());
  }
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_sink_policy(const schemas::Arguments& arguments) {
  TokenSetOptions options = token_set_options(arguments);
  options.front = arguments.integer("sinks");
  const std::string& pos = arguments.text("pos");
  if (pos != "orig") options.place_stride = pos == "doubled" ? 2 : 1;
  return std::make_unique<SinkPolicy>(options, arguments.integer("skip_layers"));
}

}  // namespace lil::record
