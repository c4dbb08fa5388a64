#include "record/attention_policy.h"

namespace lil::record {

std::unique_ptr<AttentionPolicy> make_full_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_sink_policy(const schemas::Arguments& arguments);

namespace {

using schemas::Parameter;

constexpr double kMostTokens = 1 << 30;

Parameter count(const char* name, const char* standard, double min, const char* description) {
  return {name, Parameter::Type::kInteger, standard, min, kMostTokens, {}, description};
}

Parameter choice(const char* name, std::vector<std::string> choices, const char* description) {
  std::string standard = choices.front();
  return {name, Parameter::Type::kChoice, std::move(standard), 0, 0, std::move(choices), description};
}

std::vector<AttentionPolicyRow> rows() {
  return {
      {"full", make_full_policy, "every token attends to all before it", {}},
      {"sink",
       make_sink_policy,
       "the first tokens and the latest ones (StreamingLLM)",
       {count("budget", "", 1, "entries attended to, the current token included"),
        count("sinks", "4", 0, "first tokens that are always kept"),
        choice("pos", {"cache", "orig", "doubled"},
               "keys stand at their place in the cache, at their position, or at twice their place"),
        choice("evict", {"before", "after"},
               "after: drop after attention, so that budget + 1 are attended to"),
        choice("first_step", {"prefill_scores", "dense"},
               "a prompt over the budget is cut at the first decoded token, or one token later"),
        choice("pin_prompt", {"off", "on"}, "on: tokens of the prompt are never dropped"),
        count("skip_layers", "0", 0, "first layers that keep full attention")}},
  };
}

}  // namespace

std::span<const AttentionPolicyRow> attention_policy_rows() {
  static const std::vector<AttentionPolicyRow> all_rows = rows();
  return all_rows;
}

ResolvedPolicy make_attention_policy(const std::string& text) {
  const auto [row, arguments] = schemas::resolve_row("attention policy", attention_policy_rows(), text);
  return {arguments.to_string(), row->make(arguments)};
}

}  // namespace lil::record
