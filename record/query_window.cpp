#include "record/query_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/copy_rows.h"
#include "kernels/decode_attention.h"
#include "kernels/thread_team.h"
#include "record/dtype.h"
#include "schemas/error.h"

namespace lil::record {

TokenSetOptions query_window_options(const schemas::Arguments& arguments) {
  if (arguments.integer("pool") % 2 == 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("attention policy '{}': pool={} is even, but a middle is needed",
                            arguments.name(), arguments.integer("pool")));
  }
  TokenSetOptions options = token_set_options(arguments);
  options.recent = arguments.integer("window");
  options.slack = arguments.integer("every") - 1;
  return options;
}

std::vector<double> pooled_attention(const QueryWindowView& view, std::int64_t pool) {
  const auto older = static_cast<std::size_t>(view.older);
  std::vector<double> weights(older);
  std::vector<double> sums(older);
  for (std::int64_t query = 0; query < view.queries; ++query) {
    const auto row = view.logits.subspan(static_cast<std::size_t>(query * view.entries), older);
    const double most = *std::max_element(row.begin(), row.end());
    double total = 0;
    for (std::size_t j = 0; j < older; ++j)
      total += weights[j] = std::exp(static_cast<double>(row[j]) - most);
    for (std::size_t j = 0; j < older; ++j) sums[j] += weights[j] / total;
  }
  std::vector<double> pooled(older);
  for (std::int64_t j = 0; j < view.older; ++j) {
    const auto first = sums.begin() + std::max<std::int64_t>(j - pool / 2, 0);
    const auto end = sums.begin() + std::min(j + pool / 2 + 1, view.older);
    pooled[static_cast<std::size_t>(j)] = *std::max_element(first, end) / static_cast<double>(view.queries);
  }
  return pooled;
}

QueryWindowSets::QueryWindowSets(const PolicyContext& context, const TokenSetOptions& options,
                                 std::int64_t window, bool wants_keys)
    : TokenSets(context, options),
      window_(window),
      wants_keys_(wants_keys),
      queries_(*context.device, governed_layers(), context.lanes, context.heads * window * row_bytes()),
      group_counts_(*context.device, index(context.lanes * context.kv_heads)),
      query_rows_(*context.device, index(context.lanes * context.heads)),
      counts_(*context.device, index(context.kv_heads)),
      key_pages_(*context.device, index(context.kv_heads)) {
  group_counts_.upload(std::vector<std::int32_t>(group_counts_.size(), static_cast<std::int32_t>(group())));
  for (std::int64_t head = 0; head < context.kv_heads; ++head) {
    host_.push_back(static_cast<std::int32_t>(head));
  }
  key_pages_.upload(host_);
}

template <class T>
void QueryWindowSets::ensure(DeviceArray<T>& array, std::int64_t size) const {
  if (array.size() >= index(size)) return;
  array = DeviceArray<T>(*context().device, index(size + size / 4));
}

// --- Sequences.

void QueryWindowSets::take_prompt(std::int64_t lane, const PromptLayer& prompt) {
  keep_prompt_queries(lane, prompt);
  TokenSets::take_prompt(lane, prompt);
}

void QueryWindowSets::keep_prompt_queries(std::int64_t lane, const PromptLayer& prompt) {
  const std::int64_t heads = context().heads;
  std::vector<std::int32_t> from;
  std::vector<std::int32_t> to;
  for (std::int64_t token = std::max<std::int64_t>(prompt.tokens - window_, 0); token < prompt.tokens;
       ++token) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t row = (head / group() * window_ + token % window_) * group() + head % group();
      from.push_back(static_cast<std::int32_t>(token * heads + head));
      to.push_back(static_cast<std::int32_t>(row));
    }
  }
  DeviceArray<std::int32_t> rows(*context().device, from.size() + to.size());
  rows.upload(from);
  rows.upload(to, from.size());
  set_counts(static_cast<std::int64_t>(from.size()));
  kernels::CopyRowsArgs args;
  args.requests = 1;
  args.row_bytes = row_bytes();
  args.counts = counts_.data();
  args.max_count = static_cast<std::int64_t>(from.size());
  args.index = rows.data();
  args.index_stride = args.max_count;
  args.in = prompt.queries;
  args.out_index = rows.data() + from.size();
  args.out_index_stride = args.max_count;
  args.out = queries_.row(governed(prompt.layer), lane);
  require_ok(context().device->kernels().copy_rows(args, context().device->stream()), "copy_rows");
}

void QueryWindowSets::swap_lanes(std::int64_t a, std::int64_t b) {
  TokenSets::swap_lanes(a, b);
  queries_.swap_lanes(a, b);
}

void QueryWindowSets::fork(std::int64_t from, std::int64_t to) {
  TokenSets::fork(from, to);
  queries_.copy_lane(from, to);
}

// --- Steps.

void QueryWindowSets::begin_step(std::span<const std::int64_t> positions) {
  TokenSets::begin_step(positions);
  host_.clear();
  for (std::int64_t request = 0; request < requests(); ++request) {
    const std::int64_t number = positions[index(request / context().kv_heads)] % window_;
    for (std::int64_t head = 0; head < group(); ++head) {
      host_.push_back(static_cast<std::int32_t>((request * window_ + number) * group() + head));
    }
  }
  query_rows_.upload(host_);
}

void QueryWindowSets::attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) {
  TokenSets::attend(layer, queries, parts);
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.row_bytes = row_bytes();
  args.counts = group_counts_.data();
  args.max_count = group();
  args.in = queries;
  args.in_request_rows = group();
  args.out_index = query_rows_.data();
  args.out_index_stride = group();
  args.out = queries_.layer(governed(layer));
  require_ok(context().device->kernels().copy_rows(args, context().device->stream()), "copy_rows");
}

// --- Scores.

TokenSets::PlaceScores QueryWindowSets::drop_scores(const DropRequest& request) {
  for (std::int64_t lane = 0; lane < step_lanes(); ++lane) {
    if (!drops(lane)) continue;
    Entries entries{lane, request.layer, entries_before(lane), step_position(lane), {}, nullptr, nullptr};
    entries.lists = {lane_slots(lane, request.layer), width(), counts_.data(), entries.count, 1};
    entries.keys = context().pool->keys();
    entries.values = context().pool->values();
    write_scores(entries, place_scores() + lane * context().kv_heads * width(), width());
  }
  return {place_scores(), width()};
}

TokenSets::PlaceScores QueryWindowSets::prompt_scores(std::int64_t lane, const PromptLayer& prompt) {
  Entries entries{lane, prompt.layer, prompt.tokens, prompt.tokens, {}, prompt.keys, prompt.values};
  entries.lists = {key_pages_.data(), 1, counts_.data(), prompt.tokens,
                   static_cast<std::int32_t>(prompt.capacity)};
  write_scores(entries, prompt_scratch(), context().max_tokens);
  return {prompt_scratch(), context().max_tokens};
}

void QueryWindowSets::set_counts(std::int64_t count) {
  counts_.upload(std::vector<std::int32_t>(counts_.size(), static_cast<std::int32_t>(count)));
}

void QueryWindowSets::write_scores(const Entries& entries, float* to, std::int64_t stride) {
  set_counts(entries.count);
  const std::int64_t queries = std::min(window_, entries.position);
  const std::vector<float> logits = logits_of(entries, queries);
  const std::vector<float> keys = wants_keys_ ? keys_of(entries) : std::vector<float>{};
  QueryWindowView view;
  view.entries = entries.count;
  view.older = entries.count - options().keep_of(prompt_tokens(entries.lane)).back;
  view.queries = queries;
  view.head_dim = context().head_dim;
  std::vector<float> scores(index(context().kv_heads * view.older));
  kernels::ThreadTeam::run_on(host_threads(*context().device), context().kv_heads, [&](std::int64_t head) {
    QueryWindowView own = view;
    const std::size_t rows = index(queries * entries.count);
    own.logits = std::span(logits).subspan(index(head) * rows, rows);
    const std::size_t numbers = wants_keys_ ? index(entries.count * view.head_dim) : 0;
    own.keys = std::span(keys).subspan(index(head) * numbers, numbers);
    score(own, std::span(scores).subspan(index(head * view.older), index(view.older)));
  });
  for (std::int64_t head = 0; head < context().kv_heads; ++head) {
    context().device->upload(to + head * stride, scores.data() + head * view.older,
                             index(view.older) * sizeof(float));
  }
}

/// (kv_heads, queries, entries), the greatest over each group.
std::vector<float> QueryWindowSets::logits_of(const Entries& entries, std::int64_t queries) {
  const std::int64_t rows = queries * group();
  const std::int64_t splits = kernels::splits_of(entries.count);
  ensure(partial_out_, context().kv_heads * splits * rows * context().head_dim);
  ensure(partial_lse_, context().kv_heads * splits * rows);
  ensure(logits_, context().kv_heads * rows * entries.count);
  kernels::DecodeAttentionArgs args;
  args.dtype = context().dtype;
  args.requests = static_cast<std::int32_t>(context().kv_heads);
  args.group = static_cast<std::int32_t>(rows);
  args.head_dim = static_cast<std::int32_t>(context().head_dim);
  args.scale = 1.0F / std::sqrt(static_cast<float>(context().head_dim));
  args.queries = queries_.row(governed(entries.layer), entries.lane);
  args.query_request_stride = window_ * group() * context().head_dim;
  args.query_head_stride = context().head_dim;
  args.keys = entries.keys;
  args.values = entries.values;
  args.key_slot_stride = context().head_dim;
  args.value_slot_stride = context().head_dim;
  args.lists = entries.lists;
  args.partial_out = partial_out_.data();
  args.partial_lse = partial_lse_.data();
  args.logits = logits_.data();
  args.logits_stride = entries.count;
  require_ok(context().device->kernels().decode_attention(args, context().device->stream()),
             "decode_attention");
  const std::vector<float> all = logits_.download(0, index(context().kv_heads * rows * entries.count));
  std::vector<float> most(index(context().kv_heads * queries * entries.count));
  for (std::size_t i = 0; i < most.size(); ++i) {
    const std::size_t count = index(entries.count);
    const std::size_t first = i / count * index(group()) * count + i % count;
    most[i] = all[first];
    for (std::size_t head = 1; head < index(group()); ++head)
      most[i] = std::max(most[i], all[first + head * count]);
  }
  return most;
}

/// (kv_heads, entries, head_dim).
std::vector<float> QueryWindowSets::keys_of(const Entries& entries) {
  const std::int64_t rows = context().kv_heads * entries.count;
  ensure(keys_, rows * row_bytes());
  const bool paged = entries.lists.page_size > 1;  // a prompt: its rows follow one another
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(context().kv_heads);
  args.row_bytes = row_bytes();
  args.counts = counts_.data();
  args.max_count = entries.count;
  args.index = paged ? nullptr : entries.lists.pages;
  args.index_stride = entries.lists.stride;
  args.in = entries.keys;
  args.in_request_rows = paged ? entries.lists.page_size : 0;
  args.out = keys_.data();
  args.out_request_rows = entries.count;
  require_ok(context().device->kernels().copy_rows(args, context().device->stream()), "copy_rows");
  const std::vector<std::byte> stored = keys_.download(0, index(rows * row_bytes()));
  std::vector<float> keys(index(rows * context().head_dim));
  widen(context().dtype, stored.data(), keys);
  return keys;
}

}  // namespace lil::record
