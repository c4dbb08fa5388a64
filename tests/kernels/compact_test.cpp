#include <gtest/gtest.h>

#include <numeric>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using Indices = std::vector<std::int32_t>;

struct Request {
  std::int32_t count = 0;
  Indices places;  ///< that stay, ascending
};

Request random_request(std::int32_t count, std::int32_t one_in, Random& random) {
  Request request{count, {}};
  for (std::int32_t place = 0; place < count; ++place) {
    if (random.index(one_in) == 0) {
      request.places.push_back(place);
    }
  }
  return request;
}

class Compact : public KernelTest {
 protected:
  /// Runs the requests on lists of pages in no order and compares every array with the slow twin's.
  void expect_right(const std::vector<Request>& requests, std::int32_t page_size, bool has_positions,
                    std::int64_t padding = 0, bool append_freed = false) {
    std::int64_t longest = 0;
    std::int64_t most_kept = 0;
    std::int64_t most_freed = 0;
    std::int64_t pool_pages = 3;
    for (const Request& request : requests) {
      const auto kept = static_cast<std::int64_t>(request.places.size());
      longest = std::max<std::int64_t>(longest, request.count);
      most_kept = std::max(most_kept, kept);
      most_freed = std::max(most_freed, request.count - kept);
      pool_pages += request.count;
    }
    const auto count = static_cast<std::int64_t>(requests.size());
    const std::int64_t pages_stride = longest + padding;
    const std::int64_t places_stride = most_kept + padding;
    const std::int64_t freed_stride = most_freed + padding;
    Random random(61);
    const Indices numbers = random.permutation(pool_pages);
    Indices pages = poisoned_indices(count * pages_stride);
    Indices places = poisoned_indices(count * places_stride);
    Indices freed = poisoned_indices(count * freed_stride);
    Indices counts;
    Indices kept;
    Indices freed_counts;
    Indices positions(pool_pages * page_size);
    std::iota(positions.begin(), positions.end(), 0);

    Indices expected_pages = pages;
    Indices expected_positions = positions;
    auto next = numbers.begin();
    for (std::int64_t r = 0; r < count; ++r) {
      const Request& request = requests[r];
      const Indices list(next, next + request.count);
      next += request.count;
      std::copy(list.begin(), list.end(), pages.begin() + r * pages_stride);
      std::copy(list.begin(), list.end(), expected_pages.begin() + r * pages_stride);
      std::copy(request.places.begin(), request.places.end(), places.begin() + r * places_stride);
      counts.push_back(request.count);
      kept.push_back(static_cast<std::int32_t>(request.places.size()));
      freed_counts.push_back(request.count - kept.back());
      auto stays = expected_pages.begin() + r * pages_stride;
      auto goes = freed.begin() + r * freed_stride;
      for (std::int32_t place = 0; place < request.count; ++place) {
        if (std::binary_search(request.places.begin(), request.places.end(), place)) {
          *stays++ = list[place];
          continue;
        }
        *goes++ = list[place];
        if (has_positions) {
          std::fill_n(expected_positions.begin() + std::int64_t{list[place]} * page_size, page_size, -1);
        }
      }
      if (append_freed) std::copy(freed.begin() + r * freed_stride, goes, stays);
    }

    const DeviceArray<std::int32_t> device_pages(device(), "pages", pages);
    const DeviceArray<std::int32_t> device_counts(device(), "counts", counts);
    const DeviceArray<std::int32_t> device_places(device(), "places", places);
    const DeviceArray<std::int32_t> device_kept(device(), "kept", kept);
    const DeviceArray<std::int32_t> device_freed(device(), "freed", static_cast<std::int64_t>(freed.size()));
    const DeviceArray<std::int32_t> device_freed_counts(device(), "freed counts", count);
    const DeviceArray<std::int32_t> slot_positions(device(), "slot positions", positions);
    const kernels::CompactArgs args{.requests = static_cast<std::int32_t>(count),
                                    .pages = device_pages.data(),
                                    .pages_stride = pages_stride,
                                    .counts = device_counts.data(),
                                    .max_count = longest,
                                    .places = device_places.data(),
                                    .places_stride = places_stride,
                                    .kept = device_kept.data(),
                                    .freed = device_freed.data(),
                                    .freed_stride = freed_stride,
                                    .freed_counts = device_freed_counts.data(),
                                    .slot_positions = has_positions ? slot_positions.data() : nullptr,
                                    .page_size = page_size,
                                    .append_freed = append_freed};
    run_and_repeat([&] { return backend().compact(args, stream()); });

    EXPECT_EQ(device_counts.read(), kept);
    EXPECT_EQ(device_freed_counts.read(), freed_counts);
    EXPECT_EQ(device_freed.read(), freed);
    EXPECT_EQ(slot_positions.read(), expected_positions);
    const Indices now = device_pages.read();
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int32_t named = append_freed ? counts[r] : kept[r];
      EXPECT_EQ(part(now, r * pages_stride, named), part(expected_pages, r * pages_stride, named))
          << "request " << r;
      EXPECT_EQ(part(now, r * pages_stride + counts[r], pages_stride - counts[r]),
                part(pages, r * pages_stride + counts[r], pages_stride - counts[r]))
          << "beyond the list of request " << r;
    }
  }
};

LIL_ON_EVERY_DEVICE(Compact);

TEST_P(Compact, SmallRandomPlaces) {
  Random random(67);
  for (const std::int32_t page_size : {1, 16}) {
    for (const bool has_positions : {false, true}) {
      for (const std::int64_t padding : {0, 5}) {
        SCOPED_TRACE(testing::Message() << page_size << has_positions << padding);
        std::vector<Request> requests;
        for (const std::int32_t count : {0, 1, 127, 128, 129, 300}) {
          requests.push_back(random_request(count, 2, random));
          requests.push_back(random_request(count, 20, random));
        }
        expect_right(requests, page_size, has_positions, padding);
      }
    }
  }
}

TEST_P(Compact, SmallAllNoneAndAllButOne) {
  Indices all(260);
  std::iota(all.begin(), all.end(), 0);
  std::vector<Request> requests{{260, all}, {260, {}}, {1, {0}}, {1, {}}};
  for (const std::int32_t gone : {0, 127, 128, 259}) {
    Indices places = all;
    places.erase(places.begin() + gone);
    requests.push_back({260, places});
  }
  expect_right(requests, 1, true);
  expect_right({{260, all}}, 1, true, 1);
  expect_right({{0, {}}, {0, {}}}, 4, true, 1);
}

TEST_P(Compact, SmallAppendsWhatItFrees) {
  Random random(89);
  for (const std::int64_t padding : {0, 5}) {
    std::vector<Request> requests{{260, {}}, {1, {0}}, {1, {}}};
    for (const std::int32_t count : {0, 127, 128, 129, 300}) {
      requests.push_back(random_request(count, 2, random));
      requests.push_back(random_request(count, 20, random));
    }
    expect_right(requests, 2, true, padding, true);
  }
}

TEST_P(Compact, Lengths) {
  Random random(71);
  for (const std::int64_t count : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << count << " pages");
    expect_right({random_request(static_cast<std::int32_t>(count), 3, random)}, 2, true, 1);
  }
}

}  // namespace
}  // namespace lil::tests
