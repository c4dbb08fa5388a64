#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "record/attention_policy.h"
#include "record/attention_step.h"
#include "record/decoder.h"
#include "schemas/ids.h"

namespace lil::record {

/// Whether work that takes long is to end early.
using StopRequested = std::function<bool()>;

/// Reads a prompt with full attention, layer by layer for all of its tokens, so that each layer's weights are
/// read once and only one layer's keys and values are held. What it computes for a token is, bit for bit,
/// what a decode step with full attention computes. Used by one thread at a time.
class PromptPass {
 public:
  /// `needs` is said for the layers from context.first_layer on. `attention` is shared with the decode steps.
  PromptPass(const PolicyContext& context, const PromptNeeds& needs, bool raw_keys, AttentionStep& attention);

  /// Takes the prompt through the decoder's layers and hands over each layer's entries. The decoder is left
  /// with the prompt's tokens as its rows. Throws what the decoder throws for a wrong id. False where `stop`,
  /// which may be null, said so between two layers or some tokens' attention: then layers are missing.
  [[nodiscard]] bool run(Decoder& decoder, std::span<const schemas::TokenId> prompt,
                         const std::function<void(const PromptLayer&)>& take, const StopRequested& stop);

 private:
  void prepare(std::int64_t tokens);
  void append(const Projections& rows, std::int64_t tokens, bool rotated);
  [[nodiscard]] bool attend(const Projections& rows, Decoder& decoder, std::int64_t tokens, bool scores,
                            const StopRequested& stop);
  void add_scores(std::int64_t first, std::int64_t count, std::int64_t tokens, const PartResult& result);
  void add_token_scores(std::int64_t token, std::int64_t row, const PartResult& result);
  [[nodiscard]] bool wants_scores(std::int64_t last, std::int64_t tokens) const;
  template <class T>
  void ensure(DeviceArray<T>& array, std::int64_t size) const;

  PolicyContext context_;
  PromptNeeds needs_;
  bool raw_keys_;
  AttentionStep* attention_;
  std::int64_t capacity_ = 0;
  DeviceArray<std::byte> keys_;      ///< (kv_heads, capacity, head_dim)
  DeviceArray<std::byte> raw_;       ///< (kv_heads, capacity, head_dim)
  DeviceArray<std::byte> values_;    ///< (kv_heads, capacity, head_dim)
  DeviceArray<float> scores_;        ///< (1 or group, kv_heads, capacity)
  DeviceArray<std::int32_t> slots_;  ///< (tokens, kv_heads)
  DeviceArray<std::int32_t> slot_positions_;
  DeviceArray<std::int32_t> request_positions_;  ///< (tokens, kv_heads)
  DeviceArray<std::int32_t> row_positions_;      ///< (tokens)
  DeviceArray<std::int32_t> pages_;              ///< (tokens, kv_heads): the page of a kv head is its number
  DeviceArray<std::int32_t> counts_;             ///< (tokens, kv_heads): entries up to the token
  DeviceArray<std::int32_t> identity_;           ///< (kv_heads, capacity): every slot
  DeviceArray<std::int32_t> window_counts_;      ///< (tokens, kv_heads)
};

}  // namespace lil::record
