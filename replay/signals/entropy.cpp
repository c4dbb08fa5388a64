#include <memory>

#include "replay/signals/recorded_sum.h"

namespace lil::replay {

/// `entropy`: the sum over the generated tokens of the entropy that the model's distribution had there as
/// recorded, in thousandths of a nat: what `logprob` is to be expected.
std::unique_ptr<Signal> make_entropy(const schemas::Arguments& arguments) {
  return std::make_unique<RecordedSum>(arguments, SignalInput::kEntropy, 1);
}

}  // namespace lil::replay
