#include "record/prompt_pass.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/accumulate_scores.h"
#include "kernels/append.h"

namespace lil::record {
namespace {

/// Tokens whose attention is launched together.
constexpr std::int64_t kTile = 16;
/// Prompts of similar lengths share the arrays that depend on the length.
constexpr std::int64_t kCapacityStep = 64;

std::size_t size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

}  // namespace

PromptPass::PromptPass(const PolicyContext& context, const PromptNeeds& needs, bool raw_keys,
                       AttentionStep& attention)
    : context_(context), needs_(needs), raw_keys_(raw_keys), attention_(&attention) {}

template <class T>
void PromptPass::ensure(DeviceArray<T>& array, std::int64_t wanted) const {
  if (array.size() < size(wanted)) array = DeviceArray<T>(*context_.device, size(wanted));
}

bool PromptPass::run(Decoder& decoder, std::span<const schemas::TokenId> prompt,
                     const std::function<void(const PromptLayer&)>& take, const StopRequested& stop) {
  const auto tokens = static_cast<std::int64_t>(prompt.size());
  decoder.embed(prompt);
  prepare(tokens);
  for (std::int64_t layer = 0; layer < context_.layers; ++layer) {
    const bool governed = layer >= context_.first_layer;
    const Projections rows = decoder.project(layer);
    append(rows, tokens, true);
    if (governed && raw_keys_) append(rows, tokens, false);
    attention_->rotate_queries(tokens, rows.queries, row_positions_.data());
    const bool scores = governed && needs_.scores != PromptNeeds::Scores::kNone;
    if (scores) context_.device->zero(scores_.data(), scores_.size() * sizeof(float));
    if (!attend(rows, decoder, tokens, scores, stop)) return false;
    PromptLayer entries;
    entries.layer = layer;
    entries.tokens = tokens;
    entries.capacity = capacity_;
    entries.keys = keys_.data();
    entries.raw_keys = governed && raw_keys_ ? raw_.data() : nullptr;
    entries.values = values_.data();
    entries.scores = scores ? scores_.data() : nullptr;
    entries.queries = rows.queries;
    take(entries);
    decoder.finish_layer(layer);
  }
  return true;
}

void PromptPass::prepare(std::int64_t tokens) {
  const std::int64_t heads = context_.kv_heads;
  const std::int64_t row_bytes = context_.head_dim * kernels::bytes_of(context_.dtype);
  const std::int64_t wanted = (tokens + kCapacityStep - 1) / kCapacityStep * kCapacityStep;
  if (wanted == capacity_) return;
  capacity_ = wanted;
  ensure(keys_, heads * capacity_ * row_bytes);
  ensure(values_, heads * capacity_ * row_bytes);
  if (raw_keys_) ensure(raw_, heads * capacity_ * row_bytes);
  const bool scores = needs_.scores != PromptNeeds::Scores::kNone;
  if (scores) ensure(scores_, (needs_.per_query_head ? context_.group() : 1) * heads * capacity_);
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> pages;
  std::vector<std::int32_t> counts;
  std::vector<std::int32_t> windows;
  for (std::int64_t token = 0; token < capacity_; ++token) {
    for (std::int64_t head = 0; head < heads; ++head) {
      slots.push_back(static_cast<std::int32_t>(head * capacity_ + token));
      positions.push_back(static_cast<std::int32_t>(token));
      pages.push_back(static_cast<std::int32_t>(head));
      counts.push_back(static_cast<std::int32_t>(token + 1));
      windows.push_back(static_cast<std::int32_t>(std::min(token + 1, needs_.window)));
    }
  }
  std::vector<std::int32_t> numbers(size(heads * capacity_));
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto fill = [&](DeviceArray<std::int32_t>& array, std::span<const std::int32_t> values) {
    ensure(array, static_cast<std::int64_t>(values.size()));
    array.upload(values);
  };
  fill(slots_, slots);
  fill(request_positions_, positions);
  fill(row_positions_, std::span(numbers).first(size(capacity_)));
  fill(pages_, pages);
  fill(counts_, counts);
  fill(window_counts_, windows);
  fill(identity_, numbers);
}

void PromptPass::append(const Projections& rows, std::int64_t tokens, bool rotated) {
  kernels::AppendArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(tokens * context_.kv_heads);
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.keys = rows.keys;
  args.values = rows.values;
  args.key_stride = context_.head_dim;
  args.value_stride = context_.head_dim;
  args.rope = rotated ? context_.rope : nullptr;
  args.rope_positions = static_cast<std::int32_t>(context_.rope_positions);
  args.positions = request_positions_.data();
  args.slots = slots_.data();
  args.key_pool = rotated ? keys_.data() : raw_.data();
  args.value_pool = values_.data();
  args.key_slot_stride = context_.head_dim;
  args.value_slot_stride = context_.head_dim;
  require_ok(context_.device->kernels().append(args, context_.device->stream()), "append");
}

bool PromptPass::wants_scores(std::int64_t last, std::int64_t tokens) const {
  return needs_.scores != PromptNeeds::Scores::kLast || last == tokens;
}

bool PromptPass::attend(const Projections& rows, Decoder& decoder, std::int64_t tokens, bool scores,
                        const StopRequested& stop) {
  const std::int64_t row_bytes = context_.heads * context_.head_dim * kernels::bytes_of(context_.dtype);
  for (std::int64_t first = 0; first < tokens; first += kTile) {
    if (stop && stop()) return false;
    const std::int64_t count = std::min(kTile, tokens - first);
    AttentionPart part;
    part.lists = {pages_.data() + first * context_.kv_heads, 1, counts_.data() + first * context_.kv_heads,
                  first + count, static_cast<std::int32_t>(capacity_)};
    part.keys = keys_.data();
    part.values = values_.data();
    part.wants_logits = scores && wants_scores(first + count, tokens);
    const auto results =
        attention_->attend(count, static_cast<const std::byte*>(rows.queries) + first * row_bytes,
                           std::span(&part, 1), static_cast<std::byte*>(decoder.mixed()) + first * row_bytes);
    if (part.wants_logits) add_scores(first, count, tokens, results.front());
  }
  return true;
}

void PromptPass::add_scores(std::int64_t first, std::int64_t count, std::int64_t tokens,
                            const PartResult& result) {
  const bool last_only = needs_.scores == PromptNeeds::Scores::kLast;
  for (std::int64_t row = last_only ? tokens - 1 - first : 0; row < count; ++row) {
    add_token_scores(first + row, row, result);
  }
}

void PromptPass::add_token_scores(std::int64_t token, std::int64_t row, const PartResult& result) {
  const std::int64_t heads = context_.kv_heads;
  const std::int64_t first_head = row * heads * context_.group();
  const std::int64_t start = needs_.scores == PromptNeeds::Scores::kWindowed
                                 ? std::max<std::int64_t>(token + 1 - needs_.window, 0)
                                 : 0;
  kernels::AccumulateScoresArgs args;
  args.requests = static_cast<std::int32_t>(heads);
  args.group = static_cast<std::int32_t>(context_.group());
  args.requests_per_set = needs_.across_heads ? args.requests : 1;
  args.lists = {identity_.data() + start, capacity_,
                (start > 0 ? window_counts_ : counts_).data() + token * heads, token + 1 - start, 1};
  args.logits = result.logits + first_head * result.logits_stride + start;
  args.logits_stride = result.logits_stride;
  args.lse = result.lse + first_head;
  args.reduce = needs_.reduce;
  args.per_query_head = needs_.per_query_head;
  args.score_head_stride = heads * capacity_;
  args.scores = scores_.data();
  require_ok(context_.device->kernels().accumulate_scores(args, context_.device->stream()),
             "accumulate_scores");
}

}  // namespace lil::record
