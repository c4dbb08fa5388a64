#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "record/attention_policy.h"
#include "record/engine.h"
#include "record/language_model.h"
#include "schemas/ids.h"
#include "tests/record/reference_model.h"
#include "tests/record/tiny_model.h"

namespace lil::tests {

/// Where keys and query of a step stand for RoPE.
enum class Places {
  kPosition,  ///< of the token
  kPlace,     ///< in what is attended to
  kDoubled,   ///< twice the place
  kWindowed   ///< the query at the token's position, and keys at most n_local - 1 before it
};

/// A policy's string, with what it says.
struct Form {
  const record::AttentionPolicyRow* row = nullptr;
  std::string spec;
  schemas::Arguments arguments;

  [[nodiscard]] bool has(const std::string& parameter) const;
  /// Of a declared number, else `otherwise`.
  [[nodiscard]] std::int64_t number(const std::string& parameter, std::int64_t otherwise = 0) const;
  /// Whether the parameter is declared and has this value.
  [[nodiscard]] bool is(const std::string& parameter, const std::string& value) const;
  [[nodiscard]] Places places() const;
};

/// What a test must know of a row, one for each row of the registry.
struct RowTraits {
  enum class Kind { kFull, kDropsTokens, kDropsPages, kSelects };
  /// Parameters that are tried beside the defaults and every choice of every parameter.
  struct More {
    std::string parameters;
    std::int64_t least_budget = 1;  ///< that they go with
  };
  std::string name;
  Kind kind = Kind::kFull;
  std::vector<More> more;
  /// A budget at which a sequence of so many tokens is attended to whole.
  std::int64_t (*whole_budget)(std::int64_t tokens) = nullptr;
};

[[nodiscard]] std::span<const RowTraits> row_traits();
/// Throws std::out_of_range for a row that row_traits() lacks.
[[nodiscard]] const RowTraits& traits_of(const record::AttentionPolicyRow& row);

[[nodiscard]] Form form_of(const std::string& spec);
/// A row at its defaults, with every choice of every parameter, and with `more` of its traits.
[[nodiscard]] std::vector<Form> forms_of(const record::AttentionPolicyRow& row, std::int64_t budget);
/// Of all rows.
[[nodiscard]] std::vector<Form> all_forms(std::int64_t budget);

/// How many entries a step may attend to.
struct Range {
  std::int64_t low = 0;
  std::int64_t high = 0;
};
/// The `step`-th decoded token, from 1 on, which is the last of `tokens`.
[[nodiscard]] Range attended_range(const Form& form, std::int64_t prompt_tokens, std::int64_t step);

/// What a query head attends to in a step, from the positions it has seen.
[[nodiscard]] AttentionView view_of(const Form& form, std::span<const std::int32_t> seen);

/// A small model, loaded: 3 layers, 4 query and 2 kv heads.
struct LoadedTiny {
  TinyModel tiny;
  std::unique_ptr<record::Device> device;
  std::unique_ptr<record::LanguageModel> model;
};
[[nodiscard]] LoadedTiny load_tiny(const std::string& dtype, int threads = 1);

/// Some tokens of the small model's vocabulary.
[[nodiscard]] std::vector<schemas::TokenId> some_tokens(std::int64_t count, std::int64_t start = 0);

/// An engine under a policy, with what a test asks of it.
class PolicyRun {
 public:
  PolicyRun(const record::LanguageModel& model, const std::string& spec, std::int64_t lanes = 1,
            std::int64_t max_tokens = 300);

  [[nodiscard]] record::Engine& engine() { return *engine_; }
  [[nodiscard]] record::SequenceId admit(const std::vector<schemas::TokenId>& prompt);
  void read(record::SequenceId sequence, schemas::TokenId token);
  [[nodiscard]] std::vector<float> logits(record::SequenceId sequence) const;
  /// Of every layer and kv head, what is held.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> held(record::SequenceId sequence) const;

 private:
  const record::LanguageModel& model_;
  record::ResolvedPolicy policy_;
  std::unique_ptr<record::Engine> engine_;
};

}  // namespace lil::tests
