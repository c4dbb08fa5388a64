#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/page_lists.h"
#include "record/attention_policy.h"
#include "record/lane_table.h"

namespace lil::record {

/// Every token's entry of a range of layers, in pages that are taken as sequences grow: what dense layers
/// attend to, and selecting policies choose from. The lists of a layer are (lanes, kv_heads) rows of pages in
/// order of position. Used by one thread at a time.
class PageTables {
 public:
  /// For the layers first_layer .. end_layer - 1. The first `front_tokens` of a sequence have pages of their
  /// own, so that the token after them begins a page.
  PageTables(const PolicyContext& context, std::int64_t first_layer, std::int64_t end_layer,
             std::int64_t front_tokens = 0);

  /// Groups of a pool with such pages for so many layers of a sequence.
  [[nodiscard]] static std::int64_t groups_needed(std::int32_t page_tokens, std::int64_t layers,
                                                  std::int64_t total_tokens, std::int64_t front_tokens = 0);
  void open(std::int64_t lane);
  /// Copies the entries of a prompt into pages; raw keys where `raw`.
  void take_prompt(std::int64_t lane, const PromptLayer& prompt, bool raw);
  void close(std::int64_t lane);
  void swap_lanes(std::int64_t a, std::int64_t b);
  void fork(std::int64_t from, std::int64_t to);

  /// The lanes 0 .. positions.size() - 1 get an entry at these positions, each the next of its lane.
  void begin_step(std::span<const std::int64_t> positions);
  /// (lanes of the step * kv_heads): where the step's entries of a layer go.
  [[nodiscard]] const std::int32_t* slots(std::int64_t layer) const;
  /// All entries of the step's lanes, the current ones included. Not where the first tokens leave a page in
  /// part empty.
  [[nodiscard]] kernels::PageLists lists(std::int64_t layer);
  /// (lanes, kv_heads, stride) pages of a layer.
  [[nodiscard]] std::int32_t* pages(std::int64_t layer) { return pages_.layer(layer - first_layer_); }
  [[nodiscard]] std::int64_t stride() const { return stride_; }
  /// Entries of a lane, after begin_step with the current one.
  [[nodiscard]] std::int64_t tokens(std::int64_t lane) const { return lanes_[index(lane)].tokens; }
  /// The slots of a prompt's entries: (kv_heads, tokens), in the host's memory.
  [[nodiscard]] std::vector<std::int32_t> prompt_slots(std::int64_t lane, std::int64_t layer,
                                                       std::int64_t tokens) const;
  [[nodiscard]] std::int32_t slot(std::int64_t lane, std::int64_t layer, std::int64_t kv_head,
                                  std::int64_t position) const;
  /// A lane's groups of a layer, in the order of their pages in the lists.
  [[nodiscard]] std::span<const std::int32_t> groups(std::int64_t lane, std::int64_t layer) const {
    return lanes_[index(lane)].groups[index(layer - first_layer_)];
  }

 private:
  struct Lane {
    std::int64_t tokens = 0;
    std::vector<std::vector<std::int32_t>> groups;  ///< by layer
  };

  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  void grow(std::int64_t lane, std::int64_t layer, std::int64_t tokens);
  /// In the pages of a list, of the entry at a position.
  [[nodiscard]] std::int64_t place_of(std::int64_t position) const {
    return position < front_tokens_ ? position : position + gap_;
  }
  PolicyContext context_;
  std::int64_t first_layer_;
  std::int64_t layers_;
  std::int64_t page_tokens_;
  std::int64_t front_tokens_;
  std::int64_t gap_;     ///< slots between the last of the front and the first of the next page
  std::int64_t stride_;  ///< pages of the longest list
  LaneTable<std::int32_t> pages_;
  std::vector<Lane> lanes_;
  DeviceArray<std::int32_t> counts_;        ///< (lanes, kv_heads) entries
  DeviceArray<std::int32_t> slots_;         ///< (layers, lanes of the step, kv_heads)
  DeviceArray<std::int32_t> prompt_slots_;  ///< (kv_heads, tokens)
  DeviceArray<std::int32_t> prompt_counts_;
  DeviceArray<std::int32_t> iota_;
  std::vector<std::int32_t> host_;
  std::vector<std::int32_t> host_counts_;
  std::int64_t step_lanes_ = 0;
  std::int64_t longest_ = 0;
};

/// Pages of one sequence's groups as the pages of another's, whose group i is a copy of the former's group i.
[[nodiscard]] std::vector<std::int32_t> moved_pages(std::span<const std::int32_t> pages,
                                                    std::span<const std::int32_t> from,
                                                    std::span<const std::int32_t> to, std::int64_t kv_heads);

/// Copies the entries of a prompt at `places` into slots, with their positions. `places` (kv_heads,
/// places_stride; null: all tokens) and `slots` (kv_heads, slots_stride) are in the device's memory, `counts`
/// (kv_heads) there too, none above max_count.
struct PromptCopy {
  const std::int32_t* places = nullptr;
  std::int64_t places_stride = 0;
  const std::int32_t* slots = nullptr;
  std::int64_t slots_stride = 0;
  const std::int32_t* counts = nullptr;
  std::int64_t max_count = 0;
  bool raw = false;  ///< keys as they were before rotation
};

/// `iota`: the numbers 0, 1, … in the device's memory, as many as the prompt has tokens.
void copy_prompt(const PolicyContext& context, const PromptLayer& prompt, const PromptCopy& copy,
                 const std::int32_t* iota);

}  // namespace lil::record
