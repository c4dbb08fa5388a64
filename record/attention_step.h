#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/attention_policy.h"

namespace lil::record {

/// The attention of rows of queries, one token each, over lists of entries: launches of the device's kernels
/// with the scratch memory they need, which grows with the rows and is kept. Used by one thread at a time.
class AttentionStep {
 public:
  explicit AttentionStep(const PolicyContext& context);

  /// Rotates queries (rows, heads, head_dim) in place to `positions` (rows), in the device's memory.
  void rotate_queries(std::int64_t rows, void* queries, const std::int32_t* positions);

  /// Lets every row attend to all parts under one softmax: mixed (rows, heads, head_dim). A part without
  /// entries changes no bit. One result for each part, valid until the next call.
  std::span<const PartResult> attend(std::int64_t rows, const void* queries,
                                     std::span<const AttentionPart> parts, void* mixed);

 private:
  /// Scratch of a part.
  struct Scratch {
    DeviceArray<std::byte> queries;
    DeviceArray<float> partial_out;
    DeviceArray<float> partial_lse;
    DeviceArray<float> logits;
    DeviceArray<float> lse;
  };

  template <class T>
  void ensure(DeviceArray<T>& array, std::int64_t size) const;
  void ensure_rows(std::int64_t rows);
  void rotate(std::int64_t rows, const void* in, void* out, const std::int32_t* positions);
  PartResult attend_part(std::int64_t rows, const void* queries, const AttentionPart& part, Scratch& scratch,
                         void* mixed);
  void merge_splits(std::int64_t rows, const AttentionPart& part, Scratch& scratch, void* mixed);
  void merge_parts(std::int64_t rows, std::span<const AttentionPart> parts, void* mixed);
  void join_parts(std::int64_t all_heads, std::int64_t parts, void* mixed);

  [[nodiscard]] std::int64_t requests_of(std::int64_t rows, const AttentionPart& part) const;
  [[nodiscard]] std::int64_t group_of(const AttentionPart& part) const;

  PolicyContext context_;
  std::int64_t rows_ = 0;  ///< that the arrays below are made for
  DeviceArray<std::int32_t> iota_;
  DeviceArray<std::int32_t> head_counts_;
  DeviceArray<std::int32_t> ones_;
  DeviceArray<std::int32_t> zeros_;           ///< (heads)
  DeviceArray<std::int32_t> head_positions_;  ///< (rows, heads)
  std::vector<Scratch> scratch_;              ///< by part
  DeviceArray<float> part_out_;               ///< (rows, heads, parts, head_dim)
  DeviceArray<float> part_lse_;               ///< (rows, heads, parts)
  DeviceArray<float> whole_lse_;              ///< (rows, heads)
  std::vector<PartResult> results_;
};

}  // namespace lil::record
