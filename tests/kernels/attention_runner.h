#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/attention_oracle.h"
#include "tests/kernels/list_cases.h"

namespace lil::tests {

/// What decode_attention wrote for a request, without the splits that its list does not have.
struct AttentionResult {
  std::int64_t splits = 0;    ///< with entries
  std::vector<float> out;     ///< (splits, group, head_dim)
  std::vector<float> lse;     ///< (splits, group)
  std::vector<float> logits;  ///< (group, tokens)
};

/// All of a result, for "the same bits".
inline std::vector<std::uint32_t> bits_of(const AttentionResult& result) {
  std::vector<float> all = result.out;
  all.insert(all.end(), result.lse.begin(), result.lse.end());
  all.insert(all.end(), result.logits.begin(), result.logits.end());
  return bits_of(all);
}

struct AttentionOptions {
  bool logits = true;
  std::int64_t more_tokens = 0;  ///< by which max_tokens is more than the longest list
};

/// A call of decode_attention on a device: puts requests into a pool among slots that nothing wrote, and
/// takes results apart again.
class AttentionCall {
 public:
  AttentionCall(TestDevice& device, const AttentionShape& shape,
                const std::vector<AttentionRequest>& requests, const Layout& layout = {},
                const AttentionOptions& options = {})
      : shape_(shape),
        requests_(requests),
        options_(options),
        row_stride_(shape.head_dim + layout.padding),
        request_stride_(shape.group * row_stride_ + layout.padding),
        offset_(layout.offset),
        lists_(device, with_room(layout, shape, options), shape.page_size, tokens_of(requests)),
        queries_(device, "queries", shape.dtype, place_queries()),
        keys_(device, "keys", shape.dtype, place_rows(&AttentionRequest::keys)),
        values_(device, "values", shape.dtype, place_rows(&AttentionRequest::values)),
        splits_(kernels::splits_of(max_tokens())),
        logits_stride_(max_tokens() + layout.padding),
        out_(device, "partial_out", count() * splits_ * shape.group * shape.head_dim),
        lse_(device, "partial_lse", count() * splits_ * shape.group),
        logits_(device, "logits", options.logits ? count() * shape.group * logits_stride_ : 0) {}

  [[nodiscard]] kernels::DecodeAttentionArgs args() const {
    kernels::DecodeAttentionArgs args;
    args.dtype = shape_.dtype;
    args.requests = static_cast<std::int32_t>(count());
    args.group = shape_.group;
    args.head_dim = shape_.head_dim;
    args.scale = shape_.scale;
    args.queries = queries_.at(offset_);
    args.query_request_stride = request_stride_;
    args.query_head_stride = row_stride_;
    args.keys = keys_.at(offset_);
    args.values = values_.at(offset_);
    args.key_slot_stride = row_stride_;
    args.value_slot_stride = row_stride_;
    args.lists = lists_.args();
    args.lists.max_tokens = max_tokens();
    args.partial_out = out_.data();
    args.partial_lse = lse_.data();
    args.logits = options_.logits ? logits_.data() : nullptr;
    args.logits_stride = logits_stride_;
    return args;
  }

  [[nodiscard]] std::int64_t slot(std::size_t request, std::int64_t place) const {
    return lists_.slot(request, place);
  }

  /// From now on nothing may read the slot.
  void evict(std::int64_t slot) {
    keys_.poison(offset_ + slot * row_stride_, shape_.head_dim);
    values_.poison(offset_ + slot * row_stride_, shape_.head_dim);
  }

  /// A test failure if splits without entries have anything but lse = -inf, or anything else was written.
  [[nodiscard]] std::vector<AttentionResult> results() const {
    const std::vector<float> out = out_.read();
    const std::vector<float> lse = lse_.read();
    const std::vector<float> logits = logits_.read();
    const std::int64_t split_out = std::int64_t{shape_.group} * shape_.head_dim;
    std::vector<AttentionResult> results;
    std::int64_t written_out = 0;
    std::int64_t written_logits = 0;
    for (std::int64_t r = 0; r < count(); ++r) {
      const std::int64_t tokens = requests_[r].tokens;
      AttentionResult result;
      result.splits = (tokens + kernels::kSplitTokens - 1) / kernels::kSplitTokens;
      result.out = part(out, r * splits_ * split_out, result.splits * split_out);
      result.lse = part(lse, r * splits_ * shape_.group, result.splits * shape_.group);
      for (std::int64_t i = result.splits * shape_.group; i < splits_ * shape_.group; ++i) {
        EXPECT_EQ(lse[r * splits_ * shape_.group + i], -std::numeric_limits<float>::infinity());
      }
      for (std::int64_t head = 0; head < shape_.group && options_.logits; ++head) {
        const std::vector<float> row = part(logits, (r * shape_.group + head) * logits_stride_, tokens);
        result.logits.insert(result.logits.end(), row.begin(), row.end());
      }
      written_out += result.splits * split_out;
      written_logits += static_cast<std::int64_t>(result.logits.size());
      results.push_back(std::move(result));
    }
    EXPECT_EQ(written(out), written_out);
    EXPECT_EQ(written(logits), written_logits);
    return results;
  }

 private:
  static std::vector<std::int64_t> tokens_of(const std::vector<AttentionRequest>& requests) {
    std::vector<std::int64_t> tokens;
    tokens.reserve(requests.size());
    for (const AttentionRequest& request : requests) {
      tokens.push_back(request.tokens);
    }
    return tokens;
  }

  /// Rows of lists must have room for the longest list that is announced.
  static Layout with_room(Layout layout, const AttentionShape& shape, const AttentionOptions& options) {
    layout.padding += kernels::pages_of(options.more_tokens, shape.page_size);
    return layout;
  }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(requests_.size()); }
  [[nodiscard]] std::int64_t max_tokens() const { return lists_.args().max_tokens + options_.more_tokens; }

  [[nodiscard]] std::vector<float> place_queries() const {
    std::vector<float> all = poisoned(offset_ + count() * request_stride_);
    for (std::int64_t r = 0; r < count(); ++r) {
      for (std::int64_t head = 0; head < shape_.group; ++head) {
        std::copy_n(requests_[r].queries.begin() + head * shape_.head_dim, shape_.head_dim,
                    all.begin() + offset_ + r * request_stride_ + head * row_stride_);
      }
    }
    return all;
  }

  [[nodiscard]] std::vector<float> place_rows(std::vector<float> AttentionRequest::*rows) const {
    std::vector<float> all = poisoned(offset_ + lists_.pool_slots() * row_stride_);
    for (std::size_t r = 0; r < requests_.size(); ++r) {
      for (std::int64_t place = 0; place < requests_[r].tokens; ++place) {
        std::copy_n((requests_[r].*rows).begin() + place * shape_.head_dim, shape_.head_dim,
                    all.begin() + offset_ + lists_.slot(r, place) * row_stride_);
      }
    }
    return all;
  }

  AttentionShape shape_;
  std::vector<AttentionRequest> requests_;
  AttentionOptions options_;
  std::int64_t row_stride_;
  std::int64_t request_stride_;
  std::int64_t offset_;
  ListCases lists_;
  DeviceTensor queries_;
  DeviceTensor keys_;
  DeviceTensor values_;
  std::int64_t splits_;
  std::int64_t logits_stride_;
  DeviceArray<float> out_;
  DeviceArray<float> lse_;
  DeviceArray<float> logits_;
};

/// Each split against the oracle. Results are fp32 and have its tolerance, whatever the type of the inputs.
inline void expect_exact(const AttentionShape& shape, const AttentionRequest& request,
                         const AttentionResult& result) {
  const Tolerance tolerance = tolerance_of(kernels::DType::kFp32);
  const std::int64_t split_out = std::int64_t{shape.group} * shape.head_dim;
  for (std::int64_t split = 0; split < result.splits; ++split) {
    SCOPED_TRACE(testing::Message() << "split " << split);
    const std::int64_t first = split * kernels::kSplitTokens;
    const std::int64_t count = std::min(kernels::kSplitTokens, request.tokens - first);
    const ExactAttention exact = exact_attention(shape, request, first, count);
    expect_close(kLseTolerance, part(result.lse, split * shape.group, shape.group), exact.lse);
    expect_close(tolerance, part(result.out, split * split_out, split_out), exact.out);
    for (std::int64_t head = 0; head < shape.group && !result.logits.empty(); ++head) {
      expect_close(tolerance, part(result.logits, head * request.tokens + first, count),
                   part(exact.logits, head * count, count));
    }
  }
}

}  // namespace lil::tests
