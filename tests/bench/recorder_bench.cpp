// recorder_bench FOLDER DTYPE THREADS stream TOKENS
//   decodes one sequence for each line of token ids on stdin, all of them together
// recorder_bench FOLDER DTYPE THREADS context POLICY LENGTH…
//   the time of a step after a prompt of so many tokens
//
// Prints one line of JSON. recorder_against_transformers.py runs it and checks the tokens.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "record/engine.h"
#include "schemas/error.h"

namespace {

using lil::record::Engine;
using lil::record::SequenceId;
using lil::record::StepInput;
using lil::schemas::TokenId;

constexpr int kWarmSteps = 8;
constexpr int kTimedSteps = 48;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::vector<TokenId>> read_prompts() {
  std::vector<std::vector<TokenId>> prompts;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream numbers(line);
    std::vector<TokenId> ids;
    for (TokenId id = 0; numbers >> id;) ids.push_back(id);
    if (!ids.empty()) prompts.push_back(std::move(ids));
  }
  return prompts;
}

TokenId greedy(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Decoding {
  std::vector<SequenceId> sequences;
  std::vector<std::vector<TokenId>> tokens;

  void take(const Engine& engine) {
    for (std::size_t i = 0; i < sequences.size(); ++i)
      tokens[i].push_back(greedy(engine.logits(sequences[i])));
  }
  void step(Engine& engine) {
    std::vector<StepInput> inputs;
    for (std::size_t i = 0; i < sequences.size(); ++i) inputs.push_back({sequences[i], tokens[i].back()});
    engine.step(inputs);
    take(engine);
  }
};

void stream(const lil::record::LanguageModel& model, std::int64_t count) {
  const auto prompts = read_prompts();
  std::size_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
  const auto policy = lil::record::make_attention_policy("full");
  const std::int64_t most = static_cast<std::int64_t>(longest) + count;
  Engine engine(model, *policy.policy, {static_cast<std::int64_t>(prompts.size()), most, 0});
  Decoding decoding;
  const double start = now_s();
  for (const auto& prompt : prompts) {
    decoding.sequences.push_back(engine.admit(prompt, most));
    decoding.tokens.push_back({greedy(engine.logits(decoding.sequences.back()))});
  }
  const double prefilled = now_s();
  for (std::int64_t i = 1; i < count; ++i) decoding.step(engine);
  fmt::print("{{\"prefill_s\": {:.6f}, \"decode_s\": {:.6f}, \"steps\": {}, \"tokens\": {}}}\n",
             prefilled - start, now_s() - prefilled, count - 1, decoding.tokens);
}

double median_step_ms(const lil::record::LanguageModel& model, const std::string& spec, std::int64_t length) {
  const auto policy = lil::record::make_attention_policy(spec);
  const std::int64_t most = length + kWarmSteps + kTimedSteps;
  Engine engine(model, *policy.policy, {1, most, 0});
  std::vector<TokenId> prompt;
  for (std::int64_t i = 0; i < length; ++i) {
    prompt.push_back(static_cast<TokenId>((i * 7919 + 17) % model.config().vocabulary));
  }
  Decoding decoding;
  decoding.sequences.push_back(engine.admit(prompt, most));
  decoding.tokens.push_back({greedy(engine.logits(decoding.sequences.back()))});
  std::vector<double> times;
  for (int i = 0; i < kWarmSteps + kTimedSteps; ++i) {
    const double start = now_s();
    decoding.step(engine);
    if (i >= kWarmSteps) times.push_back((now_s() - start) * 1e3);
  }
  std::nth_element(times.begin(), times.begin() + kTimedSteps / 2, times.end());
  return times[kTimedSteps / 2];
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 5) {
    fmt::print(stderr, "usage: recorder_bench FOLDER DTYPE THREADS stream TOKENS | context POLICY LENGTH…\n");
    return 2;
  }
  const auto device = lil::record::make_cpu_device(std::stoi(words[2]));
  const auto model = lil::record::load_language_model(words[0], *device, {words[1]});
  if (words[3] == "stream") {
    stream(*model, std::stoll(words[4]));
    return 0;
  }
  for (std::size_t i = 5; i < words.size(); ++i) {
    fmt::print("{{\"policy\": \"{}\", \"context\": {}, \"step_ms\": {:.3f}}}\n", words[4], words[i],
               median_step_ms(*model, words[4], std::stoll(words[i])));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "recorder_bench: {}\n", error.what());
    return 1;
  }
}
