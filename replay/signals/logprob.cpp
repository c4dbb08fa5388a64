#include <memory>

#include "replay/signals/recorded_sum.h"

namespace lil::replay {

/// `logprob`: the sum of -ln p over the generated tokens, in thousandths of a nat, with p the probability
/// that the model gave to the token as recorded: the length of the arithmetic code that the model itself
/// makes of its text. The sign is that of the other code lengths, so that growing little means being
/// predictable.
std::unique_ptr<Signal> make_logprob(const schemas::Arguments& arguments) {
  return std::make_unique<RecordedSum>(arguments, SignalInput::kLogprob, -1);
}

}  // namespace lil::replay
