#include "tests/record/policy_runs.h"

#include <algorithm>
#include <stdexcept>

#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using Kind = RowTraits::Kind;

std::int64_t as_many(std::int64_t tokens) {
  return tokens;
}

const std::vector<RowTraits>& all_traits() {
  static const std::vector<RowTraits> traits{
      {"full", Kind::kFull, {}, as_many},
      {"sink",
       Kind::kDropsTokens,
       {{"sinks=0"}, {"sinks=2"}, {"skip_layers=2"}, {"pin_prompt=on,evict=after"}},
       as_many},
      {"h2o",
       Kind::kDropsTokens,
       {{"heavy=0"},
        {"heavy=1"},
        {"score_init=zero,first_step=dense"},
        {"score_init=zero,evict=after"},
        {"pin_prompt=on,evict=after"},
        {"skip_layers=1,pos=roll"}},
       as_many},
      {"tova", Kind::kDropsTokens, {{"skip_layers=2"}, {"evict=after,first_step=dense"}}, as_many},
      {"quest",
       Kind::kSelects,
       {{"page=1"}, {"page=4,gqa=per_query_head", 4}, {"page=5,skip_layers=0", 5}},
       as_many},
      {"infllm",
       Kind::kSelects,
       {{"repr=1"}, {"n_init=0"}, {"topk=0"}, {"block=2,repr=1", 9}, {"skip_layers=1"}},
       [](std::int64_t tokens) { return 2 * tokens; }},
      {"raas",
       Kind::kDropsPages,
       {{"page=1"},
        {"page=4,pin_prompt=off", 4},
        {"touch=alpha,alpha=0.1,pin_prompt=off"},
        {"page=2,skip_layers=1", 2}},
       as_many},
      {"snapkv",
       Kind::kDropsTokens,
       {{"window=4,every=6,pool=3"},
        {"window=2,every=5,pool=5,evict=after"},
        {"window=3,every=1,pool=1"},
        {"window=3,every=4,first_step=dense"},
        {"window=3,every=4,pin_prompt=on"},
        {"every=9,skip_layers=1"}},
       as_many},
      {"rkv",
       Kind::kDropsTokens,
       {{"window=4,every=6,pool=3"},
        {"window=2,every=5,lambda=0.5,similar=0.2,evict=after"},
        {"window=3,every=1,lambda=0"},
        {"window=3,every=4,lambda=1,first_step=dense"},
        {"window=3,every=4,pin_prompt=on"},
        {"every=9,skip_layers=1"}},
       as_many},
      {"random",
       Kind::kDropsTokens,
       {{"seed=7"}, {"skip_layers=1"}, {"evict=after,first_step=dense"}},
       as_many},
  };
  return traits;
}

}  // namespace

// --- Forms.

bool Form::has(const std::string& parameter) const {
  return std::any_of(row->parameters.begin(), row->parameters.end(),
                     [&](const schemas::Parameter& declared) { return declared.name == parameter; });
}

std::int64_t Form::number(const std::string& parameter, std::int64_t otherwise) const {
  return has(parameter) ? arguments.integer(parameter) : otherwise;
}

bool Form::is(const std::string& parameter, const std::string& value) const {
  return has(parameter) && arguments.text(parameter) == value;
}

Places Form::places() const {
  if (is("pos", "cache") || is("pos", "roll")) return Places::kPlace;
  if (is("pos", "doubled")) return Places::kDoubled;
  return has("n_local") ? Places::kWindowed : Places::kPosition;
}

std::span<const RowTraits> row_traits() {
  return all_traits();
}

const RowTraits& traits_of(const record::AttentionPolicyRow& row) {
  for (const RowTraits& traits : all_traits()) {
    if (traits.name == row.name) return traits;
  }
  throw std::out_of_range("policy_runs.cpp has no traits of policy " + row.name);
}

Form form_of(const std::string& spec) {
  auto [row, arguments] = schemas::resolve_row("attention policy", record::attention_policy_rows(), spec);
  return {row, spec, std::move(arguments)};
}

std::vector<Form> forms_of(const record::AttentionPolicyRow& row, std::int64_t budget) {
  if (row.parameters.empty()) return {form_of(row.name)};
  const std::string start = row.name + "(budget=" + std::to_string(budget);
  std::vector<Form> forms{form_of(start + ")")};
  for (const schemas::Parameter& parameter : row.parameters) {
    for (const std::string& value : parameter.choices) {
      if (value == parameter.default_value) continue;
      forms.push_back(form_of(start + "," + parameter.name + "=" + value + ")"));
    }
  }
  for (const RowTraits::More& more : traits_of(row).more) {
    if (budget >= more.least_budget) forms.push_back(form_of(start + "," + more.parameters + ")"));
  }
  return forms;
}

std::vector<Form> all_forms(std::int64_t budget) {
  std::vector<Form> forms;
  for (const auto& row : record::attention_policy_rows()) {
    for (Form& form : forms_of(row, budget)) forms.push_back(std::move(form));
  }
  return forms;
}

// --- What the document says of a form.

Range attended_range(const Form& form, std::int64_t prompt_tokens, std::int64_t step) {
  const std::int64_t tokens = prompt_tokens + step;
  const Kind kind = traits_of(*form.row).kind;
  if (kind == Kind::kFull || (step == 1 && form.is("first_step", "dense"))) return {tokens, tokens};
  const std::int64_t budget = form.number("budget");
  const std::int64_t pinned = form.is("pin_prompt", "on") ? prompt_tokens : 0;
  if (kind == Kind::kDropsTokens) {
    const std::int64_t most = std::max(budget + (form.is("evict", "after") ? 1 : 0), pinned + 1);
    return {std::min(tokens, most), std::min(tokens, most + form.number("every", 1) - 1)};
  }
  if (form.has("n_local")) return {std::min(tokens, form.number("n_local")), std::min(tokens, budget)};
  // Whole pages; the last one may just have begun, and less than a page of the budget be left over.
  const std::int64_t page = form.number("page");
  const std::int64_t pinned_pages = pinned > 0 ? (pinned + page - 1) / page + 1 : 0;
  return {std::min(tokens, std::max<std::int64_t>(budget - 2 * page + 2, 1)),
          std::min(tokens, std::max(budget, pinned_pages * page))};
}

AttentionView view_of(const Form& form, std::span<const std::int32_t> seen) {
  AttentionView view;
  view.tokens.assign(seen.begin(), seen.end());
  view.query_position = seen.back();
  const Places places = form.places();
  const std::int64_t stride = places == Places::kDoubled ? 2 : 1;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i) * stride;
    std::int64_t position = seen[i];
    if (places == Places::kWindowed) position = std::max(position, seen.back() + 1 - form.number("n_local"));
    const bool by_place = places == Places::kPlace || places == Places::kDoubled;
    view.key_positions.push_back(by_place ? place : position);
    if (by_place) view.query_position = place;
  }
  return view;
}

// --- Runs.

LoadedTiny load_tiny(const std::string& dtype, int threads) {
  const TemporaryDirectory folder;
  LoadedTiny loaded{make_tiny_model(9), record::make_cpu_device(threads), nullptr};
  loaded.tiny.write(folder / "tiny");
  loaded.model = record::load_language_model(folder / "tiny", *loaded.device, {dtype});
  return loaded;
}

std::vector<schemas::TokenId> some_tokens(std::int64_t count, std::int64_t start) {
  std::vector<schemas::TokenId> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t n = start + i;
    ids.push_back(static_cast<schemas::TokenId>((n * n * 7 + n * 13 + 3) % 50));
  }
  return ids;
}

PolicyRun::PolicyRun(const record::LanguageModel& model, const std::string& spec, std::int64_t lanes,
                     std::int64_t max_tokens)
    : model_(model),
      policy_(record::make_attention_policy(spec)),
      engine_(std::make_unique<record::Engine>(model, *policy_.policy,
                                               record::EngineOptions{lanes, max_tokens, 0})) {}

record::SequenceId PolicyRun::admit(const std::vector<schemas::TokenId>& prompt) {
  return engine_->admit(prompt, 300);
}

void PolicyRun::read(record::SequenceId sequence, schemas::TokenId token) {
  const record::StepInput input{sequence, token};
  engine_->step({&input, 1});
}

std::vector<float> PolicyRun::logits(record::SequenceId sequence) const {
  const auto logits = engine_->logits(sequence);
  return {logits.begin(), logits.end()};
}

std::vector<std::vector<std::int32_t>> PolicyRun::held(record::SequenceId sequence) const {
  std::vector<std::vector<std::int32_t>> all;
  for (std::int64_t layer = 0; layer < model_.config().layers; ++layer) {
    for (std::int64_t head = 0; head < model_.config().kv_heads; ++head) {
      all.push_back(engine_->held(sequence, layer, head));
    }
  }
  return all;
}

}  // namespace lil::tests
