#include "tools/record/live_observer.h"

#include <string>

#include "replay/stream.h"

namespace lil::tools {

LiveObserver::LiveObserver(const replay::GuardianSpec& spec, const schemas::Vocabulary& vocabulary,
                           std::span<const schemas::TokenId> prompt)
    : stream_(spec.stream), vocabulary_(vocabulary), guardian_(spec) {
  std::string bytes;
  if (replay::has_prompt(stream_)) replay::append_ids(stream_, prompt, vocabulary, bytes);
  guardian_.start(bytes);
}

bool LiveObserver::observe(schemas::TokenId id, std::string_view /*bytes*/) {
  std::string bytes;
  replay::append_ids(stream_, std::span(&id, 1), vocabulary_, bytes);
  return guardian_.push(bytes) == replay::Guardian::Decision::kStop;
}

}  // namespace lil::tools
