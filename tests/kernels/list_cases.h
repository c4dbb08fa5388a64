#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/page_lists.h"
#include "tests/kernels/harness.h"

namespace lil::tests {

/// Where a test puts its arrays: nothing of it may show in a result.
struct Layout {
  std::uint64_t seed = 1;    ///< of the pages' numbers
  std::int64_t padding = 0;  ///< elements between rows, which nothing wrote
  std::int64_t offset = 0;   ///< elements before the first row
};

/// Lists of pages in no order, of a pool that has unlisted pages too; what the lists don't fill is poison.
class ListCases {
 public:
  ListCases(TestDevice& device, const Layout& layout, std::int32_t page_size,
            const std::vector<std::int64_t>& tokens)
      : page_size_(page_size),
        max_tokens_(tokens.empty() ? 0 : *std::max_element(tokens.begin(), tokens.end())),
        stride_(kernels::pages_of(max_tokens_, page_size) + layout.padding),
        host_pages_(poisoned_indices(stride_ * static_cast<std::int64_t>(tokens.size()))),
        tokens_(device, "tokens", {tokens.begin(), tokens.end()}),
        pages_(device, "pages", fill(layout, tokens)) {}

  [[nodiscard]] kernels::PageLists args() const {
    return {pages_.data(), stride_, tokens_.data(), max_tokens_, page_size_};
  }
  [[nodiscard]] std::int64_t pool_pages() const { return pool_pages_; }
  [[nodiscard]] std::int64_t pool_slots() const { return pool_pages_ * page_size_; }
  [[nodiscard]] std::int64_t page(std::size_t request, std::int64_t i) const {
    return host_pages_[static_cast<std::int64_t>(request) * stride_ + i];
  }
  [[nodiscard]] std::int64_t slot(std::size_t request, std::int64_t place) const {
    return page(request, place / page_size_) * page_size_ + place % page_size_;
  }

 private:
  const std::vector<std::int32_t>& fill(const Layout& layout, const std::vector<std::int64_t>& tokens) {
    constexpr std::int64_t kUnlisted = 3;
    pool_pages_ = kUnlisted;
    for (const std::int64_t count : tokens) {
      pool_pages_ += kernels::pages_of(count, page_size_);
    }
    Random random(layout.seed);
    const std::vector<std::int32_t> numbers = random.permutation(pool_pages_);
    auto next = numbers.begin();
    for (std::size_t request = 0; request < tokens.size(); ++request) {
      const std::int64_t pages = kernels::pages_of(tokens[request], page_size_);
      std::copy_n(next, pages, host_pages_.begin() + static_cast<std::int64_t>(request) * stride_);
      next += pages;
    }
    return host_pages_;
  }

  std::int32_t page_size_;
  std::int64_t max_tokens_;
  std::int64_t stride_;
  std::int64_t pool_pages_ = 0;
  std::vector<std::int32_t> host_pages_;
  DeviceArray<std::int32_t> tokens_;
  DeviceArray<std::int32_t> pages_;
};

/// (positions, 2, head_dim/2): cosines, then sines.
inline std::vector<float> rope_table(std::int64_t positions, std::int64_t head_dim) {
  std::vector<float> table;
  for (std::int64_t position = 0; position < positions; ++position) {
    for (const bool is_sine : {false, true}) {
      for (std::int64_t i = 0; i < head_dim / 2; ++i) {
        const double angle = static_cast<double>(position) *
                             std::pow(1e4, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
        table.push_back(static_cast<float>(is_sine ? std::sin(angle) : std::cos(angle)));
      }
    }
  }
  return table;
}

/// A row turned as the table says for a position, not rounded.
inline std::vector<double> turned(const std::vector<double>& row, const std::vector<float>& table,
                                  std::int64_t position) {
  const std::size_t half = row.size() / 2;
  const auto angles = table.begin() + position * static_cast<std::int64_t>(row.size());
  std::vector<double> result(row.size());
  for (std::size_t i = 0; i < half; ++i) {
    const double cosine = angles[static_cast<std::ptrdiff_t>(i)];
    const double sine = angles[static_cast<std::ptrdiff_t>(half + i)];
    result[i] = row[i] * cosine - row[half + i] * sine;
    result[half + i] = row[half + i] * cosine + row[i] * sine;
  }
  return result;
}

/// One number; in braces it would be taken for an array's length.
inline std::vector<std::int32_t> just(std::int32_t value) {
  return std::vector<std::int32_t>(1, value);
}

/// The `count` elements from `first`; a test failure and nothing where there are none, as a kernel that
/// failed may make it.
template <class T>
std::vector<T> part(const std::vector<T>& all, std::int64_t first, std::int64_t count) {
  if (first < 0 || count < 0 || first + count > static_cast<std::int64_t>(all.size())) {
    ADD_FAILURE() << "no elements " << first << " to " << first + count << " of " << all.size();
    return {};
  }
  return {all.begin() + first, all.begin() + first + count};
}

/// How many elements are not poison, to see that nothing was written elsewhere.
template <class T>
std::int64_t written(const std::vector<T>& all) {
  return std::count_if(all.begin(), all.end(), [](T x) { return !is_poison(x); });
}
inline std::int64_t written(const std::vector<double>& all) {
  return std::count_if(all.begin(), all.end(), [](double x) { return !std::isnan(x); });
}

/// The same items in another order: `order[i]` says which comes i-th.
template <class T>
std::vector<T> reordered(const std::vector<T>& items, const std::vector<std::size_t>& order) {
  std::vector<T> result;
  for (const std::size_t i : order) {
    result.push_back(items[i]);
  }
  return result;
}

/// Runs `outcomes_of(requests, layout)`, which answers something for each request, with each request alone
/// and with all in another order, in other layouts: each must get what it got in `requests`.
template <class Request, class OutcomesOf>
void expect_same_in_any_batch(const std::vector<Request>& requests, const OutcomesOf& outcomes_of) {
  const auto together = outcomes_of(requests, Layout{});
  std::vector<std::size_t> order(requests.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = (i * 2 + 1) % order.size();  // a permutation, for odd sizes
  }
  EXPECT_EQ(outcomes_of(reordered(requests, order), Layout{2, 8, 16}), reordered(together, order));
  EXPECT_EQ(outcomes_of(reordered(requests, order), Layout{3, 3, 1}), reordered(together, order));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(outcomes_of({requests[i]}, Layout{4, 1, 3}).front(), together[i]) << "request " << i;
  }
}

}  // namespace lil::tests
