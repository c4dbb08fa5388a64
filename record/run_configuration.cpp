#include "record/run_configuration.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "record/attention_policy.h"
#include "record/dtype.h"
#include "record/prompt_template.h"
#include "record/sampler.h"
#include "schemas/error.h"
#include "schemas/sha256.h"

namespace lil::record {
namespace {

void require_range(const char* what, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value < min || value > max) {
    throw Error(ErrorCode::kUsage, fmt::format("{} is {}, not in {}..{}", what, value, min, max));
  }
}

}  // namespace

std::uint64_t problem_hash(const std::string& problem_set, const std::string& problem_id) {
  const std::string digest = schemas::sha256_hex(problem_set + '\0' + problem_id);
  return std::stoull(digest.substr(0, 16), nullptr, 16);
}

void check_options(const RecordOptions& options) {
  require_range("the cap on generated tokens", options.cap_tokens, 1, 1 << 30);
  require_range("the number of repeats", options.repeats, 1, 1 << 20);
  require_range("the number of sequences at a time", options.batch, 0, 4096);
  require_range("the number of tokens from one probe to the next", options.probes.every_tokens, 0, 1 << 30);
  static_cast<void>(make_attention_policy(options.policy));
  static_cast<void>(make_sampler(options.sampler));
  static_cast<void>(find_prompt_template(options.prompt_template));
}

schemas::RunRecord resolve_run(const LanguageModel& model, const Tokenizer& tokenizer,
                               const ProblemSet& problems, const RecordOptions& options) {
  check_options(options);
  schemas::RunRecord run;
  run.created = options.created;
  run.tool_version = options.tool_version;
  run.host = options.host;
  run.device = model.device().name();
  run.dtype = to_string(model.dtype());
  run.model = model.name();
  run.weights_sha256 = model.weights_sha256();
  run.policy = make_attention_policy(options.policy).spec;
  run.sampler = make_sampler(options.sampler).spec;
  run.seed = options.seed;
  run.cap_tokens = options.cap_tokens;
  run.prompt_template = find_prompt_template(options.prompt_template);
  run.problem_set = problems.name;
  run.problem_set_sha256 = problems.sha256;
  run.source = "recorded";
  const nlohmann::json configuration = {
      {"cap_tokens", options.cap_tokens},
      {"device", run.device},
      {"dtype", run.dtype},
      {"model", run.model},
      {"model_config", nlohmann::json::parse(model.config().to_json())},
      {"policy", run.policy},
      {"problem_set", run.problem_set},
      {"problem_set_sha256", run.problem_set_sha256},
      {"sampler", run.sampler},
      {"seed", run.seed},
      {"stop_rule", options.stop_rule},
      {"template", run.prompt_template},
      {"tokenizer_sha256", schemas::sha256_hex(tokenizer.vocabulary().serialize())},
      {"weights_sha256", run.weights_sha256},
  };
  run.stop_rule = options.stop_rule;
  run.configuration = configuration.dump();
  run.uid = schemas::run_uid(run.configuration);
  return run;
}

}  // namespace lil::record
