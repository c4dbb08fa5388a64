#include "record/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "record/attention_step.h"
#include "record/page_tables.h"
#include "record/prompt_pass.h"
#include "record/rope.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::int64_t groups_needed(const ModelConfig& config, const AttentionPolicy& policy,
                           std::int64_t prompt_tokens, std::int64_t total_tokens) {
  const std::int64_t dense = policy.dense_layers(config.layers);
  const std::int64_t groups = PageTables::groups_needed(policy.page_tokens(), dense, total_tokens);
  if (dense == config.layers) return groups;
  return groups + policy.groups_needed(config.layers - dense, prompt_tokens, total_tokens);
}

/// With what the policy holds for it.
std::int64_t group_bytes(const ModelConfig& config, kernels::DType dtype, const AttentionPolicy& policy) {
  const KvShape shape{config.kv_heads, config.head_dim, dtype};
  const std::int64_t bytes = KvPool::group_bytes(shape, policy.page_tokens());
  if (policy.dense_layers(config.layers) == config.layers) return bytes;
  return bytes + policy.extra_group_bytes(shape, config.heads / config.kv_heads);
}

/// The most groups that a sequence may need, whatever the length of its prompt.
std::int64_t most_groups(const ModelConfig& config, const AttentionPolicy& policy,
                         const EngineOptions& options) {
  const std::int64_t tokens = options.max_tokens;
  const std::int64_t prompt = options.max_prompt_tokens > 0 ? options.max_prompt_tokens : tokens;
  return std::max(groups_needed(config, policy, 1, tokens), groups_needed(config, policy, prompt, tokens));
}

KvPool make_pool(const LanguageModel& model, const AttentionPolicy& policy, const EngineOptions& options) {
  const ModelConfig& config = model.config();
  const std::int64_t one = most_groups(config, policy, options);
  const std::int64_t bytes = group_bytes(config, model.dtype(), policy);
  const std::int64_t groups = options.kv_bytes > 0 ? options.kv_bytes / bytes : one * options.lanes;
  if (groups < one) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a KV pool of {} bytes has no room for one sequence of {} tokens, which needs {}",
                            options.kv_bytes, options.max_tokens, one * bytes));
  }
  const std::int64_t slots = groups * config.kv_heads * policy.page_tokens();
  if (slots > std::numeric_limits<std::int32_t>::max()) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("a KV pool of {} slots is too large: at most {}; ask for fewer sequences at a time",
                    slots, std::numeric_limits<std::int32_t>::max()));
  }
  return {model.device(), {config.kv_heads, config.head_dim, model.dtype()}, policy.page_tokens(), groups};
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const LanguageModel& model, const AttentionPolicy& policy, const EngineOptions& options)
      : model_(model),
        policy_(policy),
        options_(options),
        config_(model.config()),
        decoder_(model.make_decoder()),
        pool_(make_pool(model, policy, options)),
        rope_(make_rope()),
        context_(make_context()),
        dense_(context_, 0, context_.first_layer),
        governed_(context_.first_layer < config_.layers ? policy.start(context_) : nullptr),
        attention_(context_),
        prompts_(context_, policy.prompt_needs(), policy.raw_keys(), attention_),
        row_positions_(model.device(), index(options.lanes)),
        request_positions_(model.device(), index(options.lanes * config_.kv_heads)) {}

  [[nodiscard]] bool has_room(std::int64_t prompt_tokens, std::int64_t total_tokens) const {
    return lanes_used() < options_.lanes && total_tokens <= options_.max_tokens &&
           reserved_ + groups_needed(config_, policy_, prompt_tokens, total_tokens) <= pool_.groups();
  }

  std::optional<SequenceId> admit(std::span<const TokenId> prompt, std::int64_t total_tokens,
                                  const StopRequested& stop) {
    const auto tokens = static_cast<std::int64_t>(prompt.size());
    assert(tokens > 0 && has_room(tokens, total_tokens));
    const std::int64_t lane = open_lane(groups_needed(config_, policy_, tokens, total_tokens), tokens);
    const auto take = [&](const PromptLayer& entries) {
      if (entries.layer < context_.first_layer) {
        dense_.take_prompt(lane, entries, false);
      } else {
        governed_->take_prompt(lane, entries);
      }
    };
    try {
      if (!prompts_.run(*decoder_, prompt, take, stop)) {
        close_lane(lane);
        return std::nullopt;
      }
    } catch (...) {
      close_lane(lane);
      throw;
    }
    Sequence& own = sequences_[index(lane)];
    own.tokens = tokens;
    own.attended = static_cast<std::int32_t>(tokens);
    own.logits = decoder_->logits(tokens - 1, 1);
    return own.id;
  }

  void step(std::span<const StepInput> inputs) {
    if (inputs.empty()) return;
    const auto rows = static_cast<std::int64_t>(inputs.size());
    gather_lanes(inputs);
    decoder_->embed(step_tokens_);  // first: it may refuse a token
    begin_step(rows);
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) run_layer(layer, rows);
    const std::span<const float> logits = decoder_->logits(0, rows);
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      Sequence& own = sequences_[index(lane)];
      ++own.tokens;
      own.attended = static_cast<std::int32_t>(governed_ ? governed_->attended(lane) : own.tokens);
      own.logits = logits.subspan(index(lane * config_.vocabulary), index(config_.vocabulary));
    }
  }

  SequenceId fork(SequenceId sequence) {
    const std::int64_t from = lane_of(sequence);
    const Sequence original = sequences_[index(from)];
    assert(lanes_used() < options_.lanes && reserved_ + original.groups <= pool_.groups());
    const std::int64_t lane = add_lane(original.groups);
    Sequence& copy = sequences_[index(lane)];
    copy.tokens = original.tokens;
    copy.attended = original.attended;
    copy.logits = original.logits;
    dense_.fork(from, lane);
    if (governed_) governed_->fork(from, lane);
    return copy.id;
  }

  [[nodiscard]] bool has_room_to_fork(SequenceId sequence) const {
    return lanes_used() < options_.lanes &&
           reserved_ + sequences_[index(lane_of(sequence))].groups <= pool_.groups();
  }

  void release(SequenceId sequence) {
    const std::int64_t last = lanes_used() - 1;
    swap_lanes(lane_of(sequence), last);
    close_lane(last);
  }

  [[nodiscard]] std::vector<std::int32_t> held(SequenceId sequence, std::int64_t layer,
                                               std::int64_t kv_head) const {
    const std::int64_t lane = lane_of(sequence);
    if (layer >= context_.first_layer) return governed_->held(lane, layer, kv_head);
    return first_numbers(sequences_[index(lane)].tokens);
  }

  [[nodiscard]] std::vector<std::int32_t> seen(SequenceId sequence, std::int64_t layer,
                                               std::int64_t head) const {
    const std::int64_t lane = lane_of(sequence);
    if (layer >= context_.first_layer) return governed_->seen(lane, layer, head);
    return first_numbers(sequences_[index(lane)].tokens);
  }

  struct Sequence {
    SequenceId id{};
    std::int64_t tokens = 0;
    std::int64_t groups = 0;  ///< set aside in the pool
    std::int32_t attended = 0;
    std::span<const float> logits;
  };
  [[nodiscard]] const Sequence& get(SequenceId sequence) const {
    return sequences_[index(lane_of(sequence))];
  }
  [[nodiscard]] std::int64_t lanes() const { return options_.lanes; }
  [[nodiscard]] const KvPool& pool() const { return pool_; }
  [[nodiscard]] std::int64_t group_bytes() const {
    return record::group_bytes(config_, context_.dtype, policy_);
  }

 private:
  DeviceArray<float> make_rope() const {
    const std::vector<float> table =
        rope_table(config_.rope, config_.head_dim, 0, policy_.rope_positions(options_.max_tokens));
    DeviceArray<float> rope(model_.device(), table.size());
    rope.upload(table);
    return rope;
  }

  PolicyContext make_context() {
    PolicyContext context;
    context.device = &model_.device();
    context.pool = &pool_;
    context.first_layer = policy_.dense_layers(config_.layers);
    context.layers = config_.layers;
    context.heads = config_.heads;
    context.kv_heads = config_.kv_heads;
    context.head_dim = config_.head_dim;
    context.dtype = model_.dtype();
    context.lanes = options_.lanes;
    context.max_tokens = options_.max_tokens;
    context.rope = rope_.data();
    context.rope_positions = policy_.rope_positions(options_.max_tokens);
    return context;
  }

  // Lanes: sequences_[i] is in lane i.
  [[nodiscard]] std::int64_t lanes_used() const { return static_cast<std::int64_t>(sequences_.size()); }

  [[nodiscard]] std::int64_t lane_of(SequenceId id) const {
    const auto found = std::find_if(sequences_.begin(), sequences_.end(),
                                    [&](const Sequence& sequence) { return sequence.id == id; });
    assert(found != sequences_.end());
    return found - sequences_.begin();
  }

  std::int64_t add_lane(std::int64_t groups) {
    reserved_ += groups;
    sequences_.push_back({SequenceId{next_id_++}, 0, groups, 0, {}});
    return lanes_used() - 1;
  }

  std::int64_t open_lane(std::int64_t groups, std::int64_t prompt_tokens) {
    const std::int64_t lane = add_lane(groups);
    dense_.open(lane);
    if (governed_) governed_->open(lane, prompt_tokens);
    return lane;
  }

  void close_lane(std::int64_t lane) {
    assert(lane == lanes_used() - 1);
    dense_.close(lane);
    if (governed_) governed_->close(lane);
    reserved_ -= sequences_.back().groups;
    sequences_.pop_back();
  }

  void swap_lanes(std::int64_t a, std::int64_t b) {
    if (a == b) return;
    dense_.swap_lanes(a, b);
    if (governed_) governed_->swap_lanes(a, b);
    std::swap(sequences_[index(a)], sequences_[index(b)]);
  }

  /// Those that take part come first, each with its token.
  void gather_lanes(std::span<const StepInput> inputs) {
    const auto rows = static_cast<std::int64_t>(inputs.size());
    std::int64_t free = 0;  // a lane in front that no input has claimed is between 0 and here
    step_tokens_.assign(inputs.size(), -1);
    const auto takes_part = [&](std::int64_t lane) {
      return std::any_of(inputs.begin(), inputs.end(), [&](const StepInput& input) {
        return input.sequence == sequences_[index(lane)].id;
      });
    };
    for (const StepInput& input : inputs) {
      const std::int64_t lane = lane_of(input.sequence);
      if (lane < rows) continue;
      while (takes_part(free)) ++free;
      swap_lanes(lane, free);
    }
    for (const StepInput& input : inputs) step_tokens_[index(lane_of(input.sequence))] = input.token;
  }

  void begin_step(std::int64_t rows) {
    positions_.clear();
    row_host_.clear();
    request_host_.clear();
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      const std::int64_t position = sequences_[index(lane)].tokens;
      assert(position < options_.max_tokens);
      positions_.push_back(position);
      row_host_.push_back(static_cast<std::int32_t>(position));
      request_host_.insert(request_host_.end(), index(config_.kv_heads), static_cast<std::int32_t>(position));
    }
    row_positions_.upload(row_host_);
    request_positions_.upload(request_host_);
    dense_.begin_step(positions_);
    if (governed_) governed_->begin_step(positions_);
  }

  void run_layer(std::int64_t layer, std::int64_t rows) {
    const bool governed = layer >= context_.first_layer;
    const bool raw = governed && policy_.raw_keys();
    const Projections projections = decoder_->project(layer);
    AppendPlan plan;
    if (governed) {
      plan = governed_->plan_append(layer);
    } else {
      plan.slots = dense_.slots(layer);
    }
    append(projections, plan, rows, raw);
    if (!governed || !policy_.raw_queries()) {
      attention_.rotate_queries(rows, projections.queries, row_positions_.data());
    }
    parts_.clear();
    if (governed) {
      governed_->attend(layer, projections.queries, parts_);
    } else {
      AttentionPart part;
      part.lists = dense_.lists(layer);
      part.keys = pool_.keys();
      part.values = pool_.values();
      parts_.push_back(part);
    }
    const auto results = attention_.attend(rows, projections.queries, parts_, decoder_->mixed());
    if (governed) governed_->observe(layer, results);
    decoder_->finish_layer(layer);
  }

  void append(const Projections& projections, const AppendPlan& plan, std::int64_t rows, bool raw) {
    kernels::AppendArgs args;
    args.dtype = context_.dtype;
    args.requests = static_cast<std::int32_t>(rows * config_.kv_heads);
    args.head_dim = static_cast<std::int32_t>(config_.head_dim);
    args.keys = projections.keys;
    args.values = projections.values;
    args.key_stride = config_.head_dim;
    args.value_stride = config_.head_dim;
    args.rope = raw ? nullptr : context_.rope;
    args.rope_positions = static_cast<std::int32_t>(context_.rope_positions);
    args.positions = request_positions_.data();
    args.slots = plan.slots;
    args.key_pool = pool_.keys();
    args.value_pool = pool_.values();
    args.key_slot_stride = config_.head_dim;
    args.value_slot_stride = config_.head_dim;
    args.slot_positions = pool_.slot_positions();
    args.bounds_page_size = plan.bounds_page_size;
    args.lows = plan.lows;
    args.highs = plan.highs;
    require_ok(model_.device().kernels().append(args, model_.device().stream()), "append");
  }

  static std::vector<std::int32_t> first_numbers(std::int64_t count) {
    std::vector<std::int32_t> numbers(index(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }

  const LanguageModel& model_;
  const AttentionPolicy& policy_;
  const EngineOptions options_;
  const ModelConfig& config_;
  std::unique_ptr<Decoder> decoder_;
  KvPool pool_;
  DeviceArray<float> rope_;
  PolicyContext context_;
  PageTables dense_;
  std::unique_ptr<PolicyState> governed_;
  AttentionStep attention_;
  PromptPass prompts_;
  std::vector<Sequence> sequences_;
  std::int64_t next_id_ = 0;
  std::int64_t reserved_ = 0;
  // Of a step:
  DeviceArray<std::int32_t> row_positions_;      ///< (lanes)
  DeviceArray<std::int32_t> request_positions_;  ///< (lanes, kv_heads)
  std::vector<TokenId> step_tokens_;
  std::vector<std::int64_t> positions_;
  std::vector<std::int32_t> row_host_;
  std::vector<std::int32_t> request_host_;
  std::vector<AttentionPart> parts_;
};

Engine::Engine(const LanguageModel& model, const AttentionPolicy& policy, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(model, policy, options)) {}
Engine::~Engine() = default;

bool Engine::has_room(std::int64_t prompt_tokens, std::int64_t total_tokens) const {
  return impl_->has_room(prompt_tokens, total_tokens);
}
SequenceId Engine::admit(std::span<const TokenId> prompt, std::int64_t total_tokens) {
  return *impl_->admit(prompt, total_tokens, {});
}
std::optional<SequenceId> Engine::admit(std::span<const TokenId> prompt, std::int64_t total_tokens,
                                        const StopRequested& stop) {
  return impl_->admit(prompt, total_tokens, stop);
}
void Engine::step(std::span<const StepInput> inputs) {
  impl_->step(inputs);
}
bool Engine::has_room_to_fork(SequenceId sequence) const {
  return impl_->has_room_to_fork(sequence);
}
SequenceId Engine::fork(SequenceId sequence) {
  return impl_->fork(sequence);
}
void Engine::release(SequenceId sequence) {
  impl_->release(sequence);
}
std::span<const float> Engine::logits(SequenceId sequence) const {
  return impl_->get(sequence).logits;
}
std::int64_t Engine::tokens(SequenceId sequence) const {
  return impl_->get(sequence).tokens;
}
std::int32_t Engine::attended(SequenceId sequence) const {
  return impl_->get(sequence).attended;
}
std::vector<std::int32_t> Engine::held(SequenceId sequence, std::int64_t layer, std::int64_t kv_head) const {
  return impl_->held(sequence, layer, kv_head);
}
std::vector<std::int32_t> Engine::seen(SequenceId sequence, std::int64_t layer, std::int64_t head) const {
  return impl_->seen(sequence, layer, head);
}
std::int64_t Engine::lanes() const {
  return impl_->lanes();
}
std::int64_t Engine::kv_bytes() const {
  return impl_->pool().groups() * impl_->group_bytes();
}
std::int64_t Engine::kv_bytes_taken() const {
  return impl_->pool().taken() * impl_->group_bytes();
}

std::int64_t kv_bytes_needed(const ModelConfig& config, kernels::DType dtype, const AttentionPolicy& policy,
                             std::int64_t prompt_tokens, std::int64_t total_tokens) {
  return groups_needed(config, policy, prompt_tokens, total_tokens) * group_bytes(config, dtype, policy);
}

}  // namespace lil::record
