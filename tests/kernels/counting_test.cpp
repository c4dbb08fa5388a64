// The bound of a decode step: attention reads Hkv * head_dim * 2 elements for each token attended to, and
// Quest as many for each page, and no byte of them twice. What else it reads is named here.

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "tests/kernels/harness.h"
#include "tests/support/simt/memory.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::pages_of;
using kernels::splits_of;
using testing::ElementsAre;

constexpr std::int32_t kKvHeads = 2;
constexpr std::int64_t kPoolPages = 40;

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t group = 1;
  std::int32_t head_dim = 64;
};

std::string text_of(const Shape& shape) {
  return std::string(name_of(shape.dtype)) + " group " + std::to_string(shape.group) + " head_dim " +
         std::to_string(shape.head_dim);
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (const DType dtype : kDTypes) {
    for (const std::int32_t group : kGroups) {
      for (const std::int32_t head_dim : kHeadDims) shapes.push_back({dtype, group, head_dim});
    }
  }
  return shapes;
}

/// One list for each kv head: `pages` of them, the last of which may be filled in part.
struct Lists {
  std::vector<std::vector<std::int32_t>> pages;
  std::int64_t tokens = 0;
  std::int32_t page_size = 1;
};

/// `tokens` entries in pages taken at random from a pool of `pool_pages`; no kv head shares one with another.
Lists random_lists(std::int64_t tokens, std::int32_t page_size, std::int64_t pool_pages) {
  const std::vector<std::int32_t> order = Random(3).permutation(pool_pages);
  Lists lists{{}, tokens, page_size};
  const std::int64_t count = pages_of(tokens, page_size);
  for (std::int64_t head = 0; head < kKvHeads; ++head) {
    lists.pages.emplace_back(order.begin() + head * count, order.begin() + (head + 1) * count);
  }
  return lists;
}

/// A layer of one sequence in the device's memory, in which kernels' reads are counted.
class Layer {
 public:
  Layer(TestDevice& device, const Shape& shape, std::int64_t slots, std::int32_t page_size)
      : device_(device),
        shape_(shape),
        pages_(slots / page_size),
        queries_(device, "queries", shape.dtype, Random(1).floats(heads() * shape.head_dim)),
        keys_(device, "keys", shape.dtype, Random(2).floats(slots * shape.head_dim)),
        values_(device, "values", shape.dtype, Random(3).floats(slots * shape.head_dim)),
        lows_(device, "lows", shape.dtype, std::vector<float>(pages_ * shape.head_dim, -1.0F)),
        highs_(device, "highs", shape.dtype, std::vector<float>(pages_ * shape.head_dim, 1.0F)) {}

  kernels::Status attend(const Lists& lists, bool with_logits) {
    const std::int64_t splits = splits_of(lists.tokens);
    const ListArrays arrays(device_, lists);
    const DeviceArray<float> out(device_, "partial_out", heads() * splits * shape_.head_dim);
    const DeviceArray<float> lse(device_, "partial_lse", heads() * splits);
    const DeviceArray<float> logits(device_, "logits", heads() * lists.tokens);
    kernels::DecodeAttentionArgs args;
    args.dtype = shape_.dtype;
    args.requests = kKvHeads;
    args.group = shape_.group;
    args.head_dim = shape_.head_dim;
    args.scale = 0.125F;
    args.queries = queries_.data();
    args.query_request_stride = std::int64_t{shape_.group} * shape_.head_dim;
    args.query_head_stride = shape_.head_dim;
    args.keys = keys_.data();
    args.values = values_.data();
    args.key_slot_stride = args.value_slot_stride = shape_.head_dim;
    args.lists = arrays.lists;
    args.partial_out = out.data();
    args.partial_lse = lse.data();
    args.logits = with_logits ? logits.data() : nullptr;
    args.logits_stride = lists.tokens;
    return counted([&] { return device_.backend().decode_attention(args, device_.stream()); });
  }

  /// Scores of the pages, (kv heads, pages).
  kernels::Status score_pages(const Lists& lists, const DeviceArray<float>& scores) {
    const ListArrays arrays(device_, lists);
    kernels::PageScoresArgs args;
    args.dtype = shape_.dtype;
    args.requests = kKvHeads;
    args.group = shape_.group;
    args.head_dim = shape_.head_dim;
    args.queries = queries_.data();
    args.query_request_stride = std::int64_t{shape_.group} * shape_.head_dim;
    args.query_head_stride = shape_.head_dim;
    args.lists = arrays.lists;
    args.lows = lows_.data();
    args.highs = highs_.data();
    args.scores = scores.data();
    args.scores_stride = scores.size() / kKvHeads;
    return counted([&] { return device_.backend().page_scores(args, device_.stream()); });
  }

  /// Bytes that the last call read, by array.
  [[nodiscard]] const std::map<std::string, simt::Traffic>& traffic() const { return traffic_; }
  [[nodiscard]] std::uint64_t element_bytes() const {
    return static_cast<std::uint64_t>(bytes_of(shape_.dtype));
  }
  [[nodiscard]] const Shape& shape() const { return shape_; }

 private:
  struct ListArrays {
    DeviceArray<std::int32_t> pages;
    DeviceArray<std::int32_t> tokens;
    kernels::PageLists lists;

    ListArrays(TestDevice& device, const Lists& from)
        : pages(device, "pages", joined(from)),
          tokens(device, "tokens",
                 std::vector<std::int32_t>(kKvHeads, static_cast<std::int32_t>(from.tokens))),
          lists{pages.data(), pages.size() / kKvHeads, tokens.data(), from.tokens, from.page_size} {}

    static std::vector<std::int32_t> joined(const Lists& from) {
      std::vector<std::int32_t> all;
      for (const auto& list : from.pages) all.insert(all.end(), list.begin(), list.end());
      return all;
    }
  };

  [[nodiscard]] std::int64_t heads() const { return std::int64_t{kKvHeads} * shape_.group; }

  template <class Call>
  kernels::Status counted(const Call& call) {
    simt::start_counting();
    const kernels::Status status = call();
    traffic_.clear();
    for (const auto& [name, traffic] : simt::traffic()) {
      if (traffic.bytes_read > 0) traffic_[name] = traffic;
    }
    simt::stop_counting();
    device_.finish();
    return status;
  }

  TestDevice& device_;
  Shape shape_;
  std::int64_t pages_;
  DeviceTensor queries_;
  DeviceTensor keys_;
  DeviceTensor values_;
  DeviceTensor lows_;
  DeviceTensor highs_;
  std::map<std::string, simt::Traffic> traffic_;
};

std::vector<std::string> names_of(const std::map<std::string, simt::Traffic>& traffic) {
  std::vector<std::string> names(traffic.size());
  std::transform(traffic.begin(), traffic.end(), names.begin(), [](const auto& row) { return row.first; });
  return names;
}

/// Each byte of `rows` rows of the layer's head_dim, once.
void expect_read_once(const Layer& layer, const std::string& array, std::uint64_t rows) {
  SCOPED_TRACE(array);
  const simt::Traffic& traffic = layer.traffic().at(array);
  EXPECT_EQ(traffic.bytes_read,
            rows * static_cast<std::uint64_t>(layer.shape().head_dim) * layer.element_bytes());
  EXPECT_EQ(traffic.distinct_bytes_read, traffic.bytes_read);
  EXPECT_EQ(traffic.most_reads_of_a_byte, 1);
}

/// Attention to `lists`: keys and values to the byte, beside them the queries and the lists and nothing else.
void expect_bound(Layer& layer, const Lists& lists, bool with_logits) {
  ASSERT_EQ(layer.attend(lists, with_logits), kernels::Status::kOk);
  ASSERT_THAT(names_of(layer.traffic()), ElementsAre("keys", "pages", "queries", "tokens", "values"));
  const auto attended = static_cast<std::uint64_t>(lists.tokens * kKvHeads);
  expect_read_once(layer, "keys", attended);
  expect_read_once(layer, "values", attended);
  const Shape& shape = layer.shape();
  EXPECT_EQ(layer.traffic().at("queries").distinct_bytes_read,
            static_cast<std::uint64_t>(kKvHeads * shape.group * shape.head_dim) * layer.element_bytes());
  EXPECT_EQ(
      layer.traffic().at("pages").distinct_bytes_read,
      static_cast<std::uint64_t>(kKvHeads * pages_of(lists.tokens, lists.page_size)) * sizeof(std::int32_t));
}

class Counting : public KernelTest {
 protected:
  /// The `kept` pages of each list that have the highest scores.
  Lists selected(const Lists& all, const DeviceArray<float>& scores, std::int32_t kept) {
    const std::int64_t pages = scores.size() / kKvHeads;
    const DeviceArray<std::int32_t> counts(
        device(), "counts", std::vector<std::int32_t>(kKvHeads, static_cast<std::int32_t>(pages)));
    const DeviceArray<std::int32_t> keep(device(), "keep", std::vector<std::int32_t>(kKvHeads, kept));
    const DeviceArray<std::int32_t> places(device(), "places", std::int64_t{kKvHeads} * kept);
    const DeviceArray<std::int32_t> written(device(), "written", kKvHeads);
    kernels::TopkArgs args;
    args.rows = kKvHeads;
    args.scores = scores.data();
    args.scores_stride = args.max_count = pages;
    args.counts = counts.data();
    args.keep = keep.data();
    args.places = places.data();
    args.places_stride = kept;
    args.kept = written.data();
    run([&] { return backend().topk(args, stream()); });

    const std::vector<std::int32_t> chosen = places.read();
    Lists lists{{}, std::int64_t{kept} * all.page_size, all.page_size};
    for (std::size_t head = 0; head < kKvHeads; ++head) {
      const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(head) * kept;
      std::vector<std::int32_t>& list = lists.pages.emplace_back(kept);
      std::transform(first, first + kept, list.begin(), [&](std::int32_t i) { return all.pages[head][i]; });
    }
    return lists;
  }
};
LIL_ON_DEVICES_OF_KIND(Emulated, Counting);

TEST_P(Counting, FullAttentionReadsKeysAndValuesOnce) {
  constexpr std::int64_t kTokens = 300;  // two splits, the last page filled in part
  for (const Shape& shape : all_shapes()) {
    SCOPED_TRACE(text_of(shape));
    Layer layer(device(), shape, kPoolPages * 16, 16);
    expect_bound(layer, random_lists(kTokens, 16, kPoolPages), false);
  }
}

TEST_P(Counting, BudgetedAttentionReadsWhatItKeepsAndNoMore) {
  for (const Shape& shape : all_shapes()) {
    SCOPED_TRACE(text_of(shape));
    Layer layer(device(), shape, 400, 1);
    expect_bound(layer, random_lists(65, 1, 400), true);
  }
}

TEST_P(Counting, AQuestStepReadsEachBoundOnceAndTheSelectedPages) {
  constexpr std::int64_t kPages = 19;
  constexpr std::int32_t kSelected = 5;
  for (const Shape& shape : all_shapes()) {
    SCOPED_TRACE(text_of(shape));
    Layer layer(device(), shape, kPoolPages * 16, 16);
    const Lists all = random_lists(kPages * 16, 16, kPoolPages);
    const DeviceArray<float> scores(device(), "scores", kKvHeads * kPages);
    ASSERT_EQ(layer.score_pages(all, scores), kernels::Status::kOk);
    ASSERT_THAT(names_of(layer.traffic()), ElementsAre("highs", "lows", "pages", "queries", "tokens"));
    expect_read_once(layer, "lows", kKvHeads * kPages);
    expect_read_once(layer, "highs", kKvHeads * kPages);

    expect_bound(layer, selected(all, scores, kSelected), false);
  }
}

}  // namespace
}  // namespace lil::tests
