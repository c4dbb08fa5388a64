#include <algorithm>

#include "record/attention_policy.h"

namespace lil::record {

std::unique_ptr<AttentionPolicy> make_full_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_sink_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_h2o_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_tova_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_quest_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_infllm_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_raas_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_snapkv_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_rkv_policy(const schemas::Arguments& arguments);
std::unique_ptr<AttentionPolicy> make_random_policy(const schemas::Arguments& arguments);

namespace {

using schemas::Parameter;

constexpr double kMostTokens = 1 << 30;
/// A page's slot numbers are moved as one row, see kernels::kCopyRowBytes; a block's mean is one split of
/// kernels::kSplitTokens.
constexpr double kMostPageTokens = 512;
constexpr double kMostBlockTokens = 256;

Parameter count(const char* name, const char* standard, double min, const char* description) {
  return {name, Parameter::Type::kInteger, standard, min, kMostTokens, {}, description};
}

Parameter choice(const char* name, std::vector<std::string> choices, const char* description) {
  std::string standard = choices.front();
  return {name, Parameter::Type::kChoice, std::move(standard), 0, 0, std::move(choices), description};
}

/// A default that follows from the budget, said in `words`.
Parameter derived(const char* name, const char* words, double min, const char* description,
                  std::int64_t (*value)(const schemas::Arguments&)) {
  Parameter parameter = count(name, words, min, description);
  parameter.derived_default = value;
  return parameter;
}

Parameter budget() {
  return count("budget", "", 1, "entries attended to, the current token included");
}

Parameter skip_layers(const char* standard) {
  return count("skip_layers", standard, 0, "first layers that keep full attention");
}

Parameter gqa(std::vector<std::string> choices) {
  return choice("gqa", std::move(choices),
                "how the scores of the query heads that share a kv head become one");
}

/// A policy that drops entries: the budget, its own parameters, and what all of them have.
std::vector<Parameter> dropping(std::vector<Parameter> own, const char* pin_prompt = "off") {
  own.insert(own.begin(), budget());
  own.push_back(choice("evict", {"before", "after"},
                       "after: drop after attention, so that budget + 1 are attended to"));
  own.push_back(choice("first_step", {"prefill_scores", "dense"},
                       "a prompt over the budget is cut at the first decoded token, or one token later"));
  own.push_back(choice("pin_prompt", {"off", "on"}, "on: tokens of the prompt are never dropped"));
  own.back().default_value = pin_prompt;
  own.push_back(skip_layers("0"));
  return own;
}

Parameter share(const char* name, const char* standard, const char* description) {
  return {name, Parameter::Type::kReal, standard, 0, 1, {}, description};
}

/// What policies have that score by the latest queries, once in many steps.
std::vector<Parameter> query_window(std::vector<Parameter> own) {
  std::vector<Parameter> all{
      derived("window", "min(8, budget)", 1, "latest queries that score, and latest tokens kept",
              [](const auto& a) { return std::min<std::int64_t>(8, a.integer("budget")); }),
      count("every", "128", 1, "steps from one drop to the next"),
      count("pool", "7", 1, "neighbours whose greatest attention a token gets: odd")};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Parameter limited(Parameter parameter, double max) {
  parameter.max = max;
  return parameter;
}

Parameter page() {
  return limited(derived("page", "min(16, budget)", 1, "tokens of a page",
                         [](const auto& a) { return std::min<std::int64_t>(16, a.integer("budget")); }),
                 kMostPageTokens);
}

/// Of the budget, what InfLLM's first tokens and its window leave.
std::int64_t left_by_window(const schemas::Arguments& arguments) {
  return arguments.integer("budget") - arguments.integer("n_init") - arguments.integer("n_local");
}

/// Half of what is left, so that there is room for a block and for what fills none yet, up to 16 tokens, or
/// 64 above a budget of 1024.
std::int64_t infllm_block(const schemas::Arguments& arguments) {
  const std::int64_t left = std::max<std::int64_t>(left_by_window(arguments), 0);
  const std::int64_t usual = arguments.integer("budget") > 1024 ? 64 : 16;
  return std::clamp<std::int64_t>(left / 2, std::min<std::int64_t>(left, 1), usual);
}

/// As many blocks as fit besides one that is not complete.
std::int64_t infllm_topk(const schemas::Arguments& arguments) {
  const std::int64_t block = arguments.integer("block");
  return block == 0 ? 0 : std::max<std::int64_t>(left_by_window(arguments) / block - 1, 0);
}

std::vector<Parameter> infllm() {
  return {budget(),
          derived("n_init", "min(16, budget/8)", 0, "first tokens, always attended to",
                  [](const auto& a) { return std::min<std::int64_t>(16, a.integer("budget") / 8); }),
          derived("n_local", "budget/2", 1, "latest tokens attended to, the current one included",
                  [](const auto& a) { return std::max<std::int64_t>(a.integer("budget") / 2, 1); }),
          limited(derived("block", "16, above a budget of 1024 64, at most half of what is left", 0,
                          "tokens of a block; 0: what leaves the window is out of reach", infllm_block),
                  kMostBlockTokens),
          derived("topk", "what is left/block - 1", 0, "blocks attended to", infllm_topk),
          count("repr", "4", 1, "tokens of a block whose mean key stands for it"),
          skip_layers("0")};
}

std::vector<AttentionPolicyRow> rows() {
  return {
      {"full", make_full_policy, "every token attends to all before it", {}},
      {"sink", make_sink_policy, "the first tokens and the latest ones (StreamingLLM)",
       dropping(
           {derived("sinks", "min(4, budget-1)", 0,
                    "first tokens that are kept, as many as leave room for the current one",
                    [](const auto& a) { return std::min<std::int64_t>(4, a.integer("budget") - 1); }),
            choice("pos", {"cache", "orig", "doubled"},
                   "keys stand at their place in the cache, at their position, or at twice their place")})},
      {"h2o", make_h2o_policy, "the tokens with the most attention so far and the latest ones",
       dropping(
           {derived("heavy", "budget/2", 0, "tokens kept for their score",
                    [](const auto& a) { return a.integer("budget") / 2; }),
            derived("recent", "budget-heavy", 0, "latest tokens kept, the current one included",
                    [](const auto& a) {
                      return std::max<std::int64_t>(a.integer("budget") - a.integer("heavy"), 0);
                    }),
            choice("score_init", {"prefill", "zero"},
                   "scores begin with the attention of the prompt's tokens, or at the first decoded one"),
            gqa({"sum", "mean", "max"}),
            choice("pos", {"orig", "roll"},
                   "keys stand at their position, or at their place in the cache")})},
      {"tova", make_tova_policy, "the tokens with the most attention from the latest query", dropping({})},
      {"quest",
       make_quest_policy,
       "the last page and those whose keys may get the most attention",
       {budget(), page(), gqa({"sum", "mean", "max", "per_query_head"}), skip_layers("2")}},
      {"infllm", make_infllm_policy, "first tokens, a window, and the blocks with the best representatives",
       infllm()},
      {"raas",
       make_raas_policy,
       "the pages that were last of use",
       {budget(), page(),
        choice("touch", {"half", "alpha"},
               "pages of use: the better half by score, or those with a share of attention above alpha"),
        share("alpha", "0.0001", "least share of attention of a page of use, for touch=alpha"),
        gqa({"sum", "mean", "max"}),
        choice("pin_prompt", {"on", "off"}, "on: pages with tokens of the prompt are never dropped"),
        skip_layers("0")}},
      {"snapkv", make_snapkv_policy,
       "what the latest queries attend to and the latest tokens, every so many steps",
       dropping(query_window({}))},
      {"rkv", make_rkv_policy, "the same, less what later keys repeat (R-KV)",
       dropping(query_window({share("lambda", "0.07", "share of attention in the score, against redundancy"),
                              share("similar", "0.5", "keys of a greater cosine say the same")}))},
      {"random", make_random_policy, "tokens picked evenly: the control",
       dropping({count("seed", "0", 0, "of the random numbers")})},
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
