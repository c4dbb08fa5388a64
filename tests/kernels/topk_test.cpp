#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Row {
  std::vector<float> scores;
  std::int32_t keep = 0;
  std::int32_t front = 0;
  std::int32_t back = 0;
};

using Places = std::vector<std::int32_t>;

/// The slow twin: all places sorted by the rule.
Places expected_places(const Row& row) {
  const auto count = static_cast<std::int32_t>(row.scores.size());
  Places by_rule(row.scores.size());
  std::iota(by_rule.begin(), by_rule.end(), 0);
  std::stable_sort(by_rule.begin(), by_rule.end(), [&](std::int32_t a, std::int32_t b) {
    return row.scores[a] > row.scores[b] || (row.scores[a] == row.scores[b] && a > b);
  });
  std::set<std::int32_t> kept;
  for (std::int32_t place = 0; place < count; ++place) {
    if (place < row.front || place >= count - row.back) {
      kept.insert(place);
    }
  }
  for (const std::int32_t place : by_rule) {
    if (static_cast<std::int32_t>(kept.size()) >= row.keep) {
      break;
    }
    kept.insert(place);
  }
  return {kept.begin(), kept.end()};
}

class Topk : public KernelTest {
 protected:
  /// The places of each row; a test failure if anything else was written.
  std::vector<Places> places_of(const std::vector<Row>& rows, const Layout& layout = {}) {
    std::int64_t longest = 0;
    std::int64_t most_kept = 0;
    for (const Row& row : rows) {
      const auto scores = static_cast<std::int64_t>(row.scores.size());
      longest = std::max(longest, scores);
      most_kept =
          std::max(most_kept, std::min<std::int64_t>(scores, std::max(row.keep, row.front + row.back)));
    }
    const auto count = static_cast<std::int64_t>(rows.size());
    const std::int64_t scores_stride = longest + layout.padding;
    const std::int64_t places_stride = most_kept + layout.padding;
    std::vector<float> scores = poisoned(count * scores_stride);
    Places counts;
    Places keep;
    Places front;
    Places back;
    for (std::int64_t r = 0; r < count; ++r) {
      std::copy(rows[r].scores.begin(), rows[r].scores.end(), scores.begin() + r * scores_stride);
      counts.push_back(static_cast<std::int32_t>(rows[r].scores.size()));
      keep.push_back(rows[r].keep);
      front.push_back(rows[r].front);
      back.push_back(rows[r].back);
    }
    const auto is_zero = [](std::int32_t x) { return x == 0; };
    const DeviceArray<float> device_scores(device(), "scores", scores);
    const DeviceArray<std::int32_t> device_counts(device(), "counts", counts);
    const DeviceArray<std::int32_t> device_keep(device(), "keep", keep);
    const DeviceArray<std::int32_t> device_front(device(), "front", front);
    const DeviceArray<std::int32_t> device_back(device(), "back", back);
    const DeviceArray<std::int32_t> places(device(), "places", count * places_stride);
    const DeviceArray<std::int32_t> kept(device(), "kept", count);
    const kernels::TopkArgs args{
        .rows = static_cast<std::int32_t>(count),
        .scores = device_scores.data(),
        .scores_stride = scores_stride,
        .counts = device_counts.data(),
        .max_count = longest,
        .keep = device_keep.data(),
        .front = std::all_of(front.begin(), front.end(), is_zero) ? nullptr : device_front.data(),
        .back = std::all_of(back.begin(), back.end(), is_zero) ? nullptr : device_back.data(),
        .places = places.data(),
        .places_stride = places_stride,
        .kept = kept.data()};
    run_and_repeat([&] { return backend().topk(args, stream()); });

    const Places all = places.read();
    const Places kept_counts = kept.read();
    std::vector<Places> result;
    for (std::int64_t r = 0; r < count; ++r) {
      result.push_back(part(all, r * places_stride, kept_counts[r]));
    }
    EXPECT_EQ(written(all), std::accumulate(kept_counts.begin(), kept_counts.end(), std::int64_t{0}));
    return result;
  }

  void expect_right(const std::vector<Row>& rows, const Layout& layout = {}) {
    const std::vector<Places> places = places_of(rows, layout);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      EXPECT_EQ(places[r], expected_places(rows[r]))
          << "row " << r << ": " << rows[r].scores.size() << " scores, keep " << rows[r].keep << ", front "
          << rows[r].front << ", back " << rows[r].back;
    }
  }

  Places places_of(const Row& row) { return places_of(std::vector<Row>{row}).front(); }
};

/// Scores that are hard in one way each.
std::vector<std::vector<float>> hard_scores(std::int64_t count, Random& random) {
  std::vector<std::vector<float>> all(7);
  for (std::int64_t i = 0; i < count; ++i) {
    all[0].push_back(random.normal());
    all[1].push_back(static_cast<float>(random.index(3)));                      // many ties
    all[2].push_back(2.5F);                                                     // all equal
    all[3].push_back(random.index(2) == 0 ? 0.0F : -0.0F);                      // equal too
    all[4].push_back(1.0F + static_cast<float>(random.index(200)) * 0x1p-23F);  // the last digit decides
    all[5].push_back(std::ldexp(random.uniform(-1, 1), static_cast<int>(random.index(270)) - 149));
    const float special[] = {kInfinity, -kInfinity, 0.0F, -0.0F, 1e-45F, -1e-45F, 3e38F, -3e38F};
    all[6].push_back(special[random.index(8)]);
  }
  return all;
}

LIL_ON_EVERY_DEVICE(Topk);

TEST_P(Topk, SmallHardScores) {
  Random random(41);
  for (const std::int64_t count : {1, 2, 31, 32, 33, 129, 257}) {
    SCOPED_TRACE(testing::Message() << count << " scores");
    std::vector<Row> rows;
    for (const std::vector<float>& scores : hard_scores(count, random)) {
      for (const std::int64_t keep : {std::int64_t{0}, std::int64_t{1}, count / 3, count - 1, count}) {
        rows.push_back({scores, static_cast<std::int32_t>(keep), 0, 0});
      }
    }
    expect_right(rows);
  }
}

TEST_P(Topk, SmallFrontAndBack) {
  Random random(43);
  std::vector<Row> rows;
  for (const std::int32_t count : {0, 1, 5, 40}) {
    for (const std::vector<float>& scores : {random.floats(count), std::vector<float>(count, 1.0F)}) {
      for (const std::int32_t keep : {0, 4, 20, 39, 40, 100}) {
        rows.push_back({scores, keep, 4, 0});
        rows.push_back({scores, keep, 0, 1});
        rows.push_back({scores, keep, 2, 17});
        rows.push_back({scores, keep, 30, 30});
      }
    }
  }
  expect_right(rows, {1, 3, 0});
}

// What is forced in counts among the places to keep, whatever its score.
TEST_P(Topk, SmallFrontAndBackCount) {
  EXPECT_EQ(places_of({{-9, 5, 7, 6, -9}, 3, 1, 1}), (Places{0, 2, 4}));
  EXPECT_EQ(places_of({{-9, 5, 7, 6, -9}, 1, 1, 1}), (Places{0, 4}));
  EXPECT_EQ(places_of({{-9, 5, 7, 6, -9}, 0, 3, 3}), (Places{0, 1, 2, 3, 4}));
}

TEST_P(Topk, SmallTiesKeepTheHighestPlaces) {
  EXPECT_EQ(places_of({{1, 3, 1, 3, 1, 3, 1}, 5, 0, 0}), (Places{1, 3, 4, 5, 6}));
  EXPECT_EQ(places_of({{0.0F, -0.0F, 0.0F, -0.0F}, 2, 0, 0}), (Places{2, 3}));
  EXPECT_EQ(places_of({{-0.0F, 0.0F, -0.0F, 0.0F}, 3, 0, 0}), (Places{1, 2, 3}));
  EXPECT_EQ(places_of({{-kInfinity, kInfinity, -kInfinity, kInfinity}, 3, 0, 0}), (Places{1, 2, 3}));
}

// Keeping all but one evicts the smallest score, on equality the lowest position, until nothing is left.
TEST_P(Topk, SmallEvictsTheSmallestThenTheLowest) {
  Row row{{3, 1, 2, 1, -0.0F, 3, 0.0F, -2}, 7, 0, 0};
  Places tokens{0, 1, 2, 3, 4, 5, 6, 7};
  Places evicted;
  while (row.keep >= 0) {
    const Places places = places_of(row);
    const std::set<std::int32_t> kept(places.begin(), places.end());
    Row next{{}, row.keep - 1, 0, 0};
    Places next_tokens;
    for (std::int32_t place = 0; place < static_cast<std::int32_t>(tokens.size()); ++place) {
      if (kept.count(place) != 0) {
        next.scores.push_back(row.scores[place]);
        next_tokens.push_back(tokens[place]);
      } else {
        evicted.push_back(tokens[place]);
      }
    }
    row = next;
    tokens = next_tokens;
  }
  EXPECT_EQ(evicted, (Places{7, 4, 6, 1, 3, 2, 0, 5}));
}

TEST_P(Topk, SmallNanCountsBeyondInfinity) {
  // Written by hand: a NaN in a host vector would count as poison.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const DeviceArray<float> scores(device(), "scores", {0, kInfinity, 0, -kInfinity, 1});
  const DeviceArray<std::int32_t> counts(device(), "counts", just(5));
  DeviceArray<std::int32_t> keep(device(), "keep", 1);
  const DeviceArray<std::int32_t> places(device(), "places", 4);
  const DeviceArray<std::int32_t> kept(device(), "kept", 1);
  for (const bool is_negative : {false, true}) {
    const float value = std::copysign(nan, is_negative ? -1.0F : 1.0F);
    device().copy_in(scores.data() + 2, &value, sizeof(value));
    keep.write({is_negative ? 4 : 1});
    run([&] {
      return backend().topk({.rows = 1,
                             .scores = scores.data(),
                             .scores_stride = 5,
                             .counts = counts.data(),
                             .max_count = 5,
                             .keep = keep.data(),
                             .places = places.data(),
                             .places_stride = 4,
                             .kept = kept.data()},
                            stream());
    });
    const Places found = part(places.read(), 0, kept.read()[0]);
    EXPECT_EQ(found, is_negative ? (Places{0, 1, 3, 4}) : (Places{2}));
  }
}

TEST_P(Topk, SmallRaggedRows) {
  Random random(47);
  std::vector<Row> rows;
  for (const std::int32_t count : {100, 0, 3, 256, 1, 200}) {
    rows.push_back({random.floats(count), 64, 4, 16});
  }
  expect_right(rows);
  expect_right(rows, {1, 5, 0});
}

TEST_P(Topk, Lengths) {
  Random random(53);
  for (const std::int64_t count : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << count << " scores");
    const auto keep = static_cast<std::int32_t>(count / 4 + 1);
    expect_right({{random.floats(count), keep, 4, 8}, {std::vector<float>(count, -1.0F), keep, 0, 0}});
  }
}

// By the rule no place that is dropped comes before one that is kept.
TEST_P(Topk, AMillion) {
  if (device().longest_list() < 32768) {
    GTEST_SKIP() << "too long for this device";
  }
  constexpr std::int32_t kCount = 1000000;
  constexpr std::int32_t kKeep = 300000;
  Random random(59);
  std::vector<float> scores;
  for (std::int32_t i = 0; i < kCount; ++i) {
    scores.push_back(std::floor(random.uniform(-1000, 1000)));
  }
  const Places places = places_of({scores, kKeep, 0, 0});
  ASSERT_EQ(places.size(), kKeep);
  std::pair<float, std::int32_t> last_kept{kInfinity, 0};
  std::pair<float, std::int32_t> first_dropped{-kInfinity, 0};
  auto next = places.begin();
  for (std::int32_t place = 0; place < kCount; ++place) {
    if (next != places.end() && *next == place) {
      last_kept = std::min(last_kept, {scores[place], place});
      ++next;
    } else {
      first_dropped = std::max(first_dropped, {scores[place], place});
    }
  }
  EXPECT_EQ(next, places.end());
  EXPECT_GT(last_kept, first_dropped);
}

}  // namespace
}  // namespace lil::tests
