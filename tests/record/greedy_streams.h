#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "record/attention_policy.h"
#include "record/engine.h"
#include "record/language_model.h"
#include "schemas/ids.h"

namespace lil::tests {

/// What was generated after a prompt, and the logits that each token was picked from.
struct GreedyStream {
  std::vector<schemas::TokenId> ids;
  std::vector<std::vector<float>> logits;
};

/// Decodes `tokens` tokens greedily after each prompt, `lanes` prompts at a time: a finished one makes room
/// for the next at once. One stream for each prompt.
inline std::vector<GreedyStream> greedy_streams(const record::LanguageModel& model, const std::string& policy,
                                                std::span<const std::vector<schemas::TokenId>> prompts,
                                                std::size_t tokens, std::int64_t lanes) {
  struct Running {
    std::size_t problem;
    record::SequenceId sequence;
  };
  std::size_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
  const record::ResolvedPolicy resolved = record::make_attention_policy(policy);
  const auto most = static_cast<std::int64_t>(longest + tokens);
  record::Engine engine(model, *resolved.policy, {.lanes = lanes, .max_tokens = most, .kv_bytes = 0});
  std::vector<GreedyStream> streams(prompts.size());
  std::vector<Running> running;
  const auto take = [&](const Running& one) {
    const std::span<const float> logits = engine.logits(one.sequence);
    GreedyStream& own = streams[one.problem];
    own.logits.emplace_back(logits.begin(), logits.end());
    own.ids.push_back(
        static_cast<schemas::TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  };
  for (std::size_t next = 0; next < prompts.size() || !running.empty();) {
    while (next < prompts.size() && engine.has_room(static_cast<std::int64_t>(prompts[next].size()), most)) {
      running.push_back({next, engine.admit(prompts[next], most)});
      take(running.back());
      ++next;
    }
    std::vector<record::StepInput> inputs;
    for (const Running& one : running) inputs.push_back({one.sequence, streams[one.problem].ids.back()});
    engine.step(inputs);
    for (const Running& one : running) take(one);
    for (std::size_t i = running.size(); i-- > 0;) {
      if (streams[running[i].problem].ids.size() < tokens) continue;
      engine.release(running[i].sequence);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return streams;
}

/// The greatest difference between two runs' logits, up to and including the first token that differs.
inline double largest_difference(std::span<const GreedyStream> a, std::span<const GreedyStream> b) {
  double most = 0;
  for (std::size_t s = 0; s < a.size(); ++s) {
    for (std::size_t t = 0; t < a[s].ids.size(); ++t) {
      for (std::size_t i = 0; i < a[s].logits[t].size(); ++i) {
        most = std::max(most, std::abs(static_cast<double>(a[s].logits[t][i]) - b[s].logits[t][i]));
      }
      if (a[s].ids[t] != b[s].ids[t]) break;
    }
  }
  return most;
}

/// The tokens alone.
inline std::vector<std::vector<schemas::TokenId>> ids_of(std::span<const GreedyStream> streams) {
  std::vector<std::vector<schemas::TokenId>> ids;
  for (const GreedyStream& stream : streams) ids.push_back(stream.ids);
  return ids;
}

}  // namespace lil::tests
