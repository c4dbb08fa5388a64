#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/lane_table.h"
#include "record/token_sets.h"

namespace lil::record {

/// From the parameters `window`, `every` and `pool` and those that all dropping policies have. Throws
/// Error(kUsage) where `pool` is even, for then it has no middle.
[[nodiscard]] TokenSetOptions query_window_options(const schemas::Arguments& arguments);

/// What one kv head's entries are scored from, in the host's memory.
struct QueryWindowView {
  std::int64_t entries = 0;   ///< held before the current one
  std::int64_t older = 0;     ///< the first so many compete; the others stay
  std::int64_t queries = 0;   ///< the latest ones
  std::int64_t head_dim = 0;  ///< of keys
  /// (queries, entries): q . k / sqrt(head_dim), the greatest over the query heads of the group.
  std::span<const float> logits;
  std::span<const float> keys;  ///< (entries, head_dim) rotated; empty where not asked for
};

/// How much the window attends to each of the older entries: softmax over them for each query, the mean over
/// queries, and of that the greatest of the `pool` entries around [as SnapKV, Li 2024, whose public code
/// pools likewise without reaching beyond the older entries].
[[nodiscard]] std::vector<double> pooled_attention(const QueryWindowView& view, std::int64_t pool);

/// Token sets that are cut seldom, by what the latest queries of each lane think of the entries then. The
/// scores are made on the host: the work of a drop is spread over `slack` + 1 steps.
///
/// The queries are those of the steps before the drop, since the current one is known only after it; the
/// latest `recent` entries stay.
class QueryWindowSets : public TokenSets {
 public:
  /// Keys stand at their positions; `options.slot_scores` is off. `wants_keys`: score() looks at keys.
  QueryWindowSets(const PolicyContext& context, const TokenSetOptions& options, std::int64_t window,
                  bool wants_keys);

  void take_prompt(std::int64_t lane, const PromptLayer& prompt) override;
  void swap_lanes(std::int64_t a, std::int64_t b) override;
  void fork(std::int64_t from, std::int64_t to) override;
  void begin_step(std::span<const std::int64_t> positions) override;
  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override;

 protected:
  PlaceScores drop_scores(const DropRequest& request) override;
  PlaceScores prompt_scores(std::int64_t lane, const PromptLayer& prompt) override;
  /// Scores of the older entries of one kv head: scores.size() == view.older. The highest stay. Called from
  /// several threads at a time, for different heads.
  virtual void score(const QueryWindowView& view, std::span<float> scores) const = 0;

 private:
  /// The entries of a lane in one layer.
  struct Entries {
    std::int64_t lane = 0;
    std::int64_t layer = 0;
    std::int64_t count = 0;     ///< of each kv head
    std::int64_t position = 0;  ///< of the next token
    kernels::PageLists lists;   ///< one for each kv head
    const void* keys = nullptr;
    const void* values = nullptr;
  };

  [[nodiscard]] std::int64_t group() const { return context().group(); }
  [[nodiscard]] std::int64_t row_bytes() const { return context().pool->row_bytes(); }
  template <class T>
  void ensure(DeviceArray<T>& array, std::int64_t size) const;
  void keep_prompt_queries(std::int64_t lane, const PromptLayer& prompt);
  void set_counts(std::int64_t count);
  void write_scores(const Entries& entries, float* to, std::int64_t stride);
  [[nodiscard]] std::vector<float> logits_of(const Entries& entries, std::int64_t queries);
  [[nodiscard]] std::vector<float> keys_of(const Entries& entries);

  std::int64_t window_;
  bool wants_keys_;
  /// (layers, lanes, kv_heads * window * group * head_dim): the query of position p is number p % window.
  LaneTable<std::byte> queries_;
  DeviceArray<std::int32_t> group_counts_;  ///< (lanes, kv_heads): query heads of each
  DeviceArray<std::int32_t> query_rows_;    ///< (lanes, kv_heads, group): rows of the step's queries
  // Scratch of a drop:
  DeviceArray<std::int32_t> counts_;     ///< (kv_heads)
  DeviceArray<std::int32_t> key_pages_;  ///< (kv_heads): of a prompt, the page of a kv head is its number
  DeviceArray<float> partial_out_;
  DeviceArray<float> partial_lse_;
  DeviceArray<float> logits_;
  DeviceArray<std::byte> keys_;
  std::vector<std::int32_t> host_;
};

}  // namespace lil::record
