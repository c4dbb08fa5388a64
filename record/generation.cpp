#include "record/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "schemas/error.h"

namespace lil::record {

using schemas::Finish;
using schemas::TokenId;

Generation::Generation(const GenerationRules& rules, schemas::Store& store, schemas::NewTrace trace,
                       const DrawKey& key, std::unique_ptr<TokenObserver> observer)
    : rules_(rules),
      store_(store),
      writer_(store, std::move(trace)),
      key_(key),
      observer_(std::move(observer)) {}

std::optional<Finish> Generation::take(const Choice& choice, std::int32_t attended) {
  if (choice.id >= rules_.vocabulary->size()) {
    throw Error(ErrorCode::kInput,
                fmt::format("the model wrote token {}, which the tokenizer's {} tokens do not have",
                            choice.id, rules_.vocabulary->size()));
  }
  writer_.append({{&choice.id, 1}, {&choice.logprob, 1}, {&choice.entropy, 1}, {&attended, 1}});
  last_ = choice.id;
  ++key_.step;
  const bool ended = observer_ != nullptr && observe(choice.id);
  // The order follows what the whole trace would be: an observer only ends what would have gone on.
  const auto& ends = rules_.end_ids;
  if (std::find(ends.begin(), ends.end(), choice.id) != ends.end()) return Finish::kStop;
  if (tokens() == rules_.cap_tokens) return Finish::kLength;
  if (ended) return Finish::kGuardian;
  return std::nullopt;
}

bool Generation::observe(TokenId id) {
  const auto& token = rules_.vocabulary->token(id);
  try {
    return observer_->observe(id, token.special ? "" : token.bytes);
  } catch (const std::exception& error) {
    throw ObserverFailure(error.what());
  }
}

void Generation::finish(Finish finish, std::int64_t prefill_ns, std::int64_t decode_ns) {
  writer_.finish(finish, prefill_ns, decode_ns);
}

void Generation::put(const schemas::Probe& probe) {
  schemas::put_probe(store_, writer_.key(), probe);
}

}  // namespace lil::record
