#include "kernels/thread_team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace lil::kernels {
namespace {

using testing::Each;
using testing::SizeIs;

TEST(ThreadTeam, CountsItsCaller) {
  EXPECT_EQ(ThreadTeam(-1).threads(), 1);
  EXPECT_EQ(ThreadTeam(0).threads(), 1);
  EXPECT_EQ(ThreadTeam(1).threads(), 1);
  ThreadTeam team(3);
  EXPECT_EQ(team.threads(), 3);
  EXPECT_EQ(ThreadTeam::threads_of(&team), 3);
  EXPECT_EQ(ThreadTeam::threads_of(nullptr), 1);
}

TEST(ThreadTeam, RunsEachPartOnceWhateverTheNumbers) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadTeam team(threads);
    for (const std::int64_t parts : {0, 1, 2, 3, 7, 8, 9, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(parts));
      team.run(parts, [&](std::int64_t part) { times[static_cast<std::size_t>(part)]++; });
      EXPECT_THAT(std::vector<int>(times.begin(), times.end()), Each(1))
          << threads << " threads, " << parts << " parts";
    }
  }
}

TEST(ThreadTeam, RunsNothingForNegativeParts) {
  ThreadTeam team(2);
  team.run(-1, [](std::int64_t) { FAIL(); });
}

TEST(ThreadTeam, ShowsAllWritesOfOneCallToTheNext) {
  ThreadTeam team(3);
  constexpr std::int64_t kParts = 5;
  std::array<std::int64_t, kParts> values{};
  std::int64_t expected = 0;
  for (std::int64_t call = 0; call < 5000; ++call) {
    // Every part reads what the caller summed up from all parts of the last call.
    const std::int64_t sum = std::accumulate(values.begin(), values.end(), std::int64_t{0});
    ASSERT_EQ(sum, expected) << "call " << call;
    team.run(kParts, [&](std::int64_t part) { values[static_cast<std::size_t>(part)] = sum % 1000 + part; });
    expected = kParts * (sum % 1000) + kParts * (kParts - 1) / 2;
  }
}

TEST(ThreadTeam, WorksWhenItsThreadsHaveFallenAsleep) {
  ThreadTeam team(3);
  for (int call = 0; call < 5; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> done = 0;
    team.run(64, [&](std::int64_t) { done++; });
    EXPECT_EQ(done, 64);
  }
}

// Parts that wait for each other end only where as many threads as parts take part.
TEST(ThreadTeam, PutsEveryThreadToWork) {
  constexpr int kThreads = 4;
  ThreadTeam team(kThreads);
  for (int call = 0; call < 20; ++call) {
    std::mutex mutex;
    std::condition_variable all_here;
    std::set<std::thread::id> here;
    team.run(kThreads, [&](std::int64_t) {
      std::unique_lock lock(mutex);
      here.insert(std::this_thread::get_id());
      all_here.notify_all();
      all_here.wait(lock, [&] { return here.size() == kThreads; });
    });
    EXPECT_THAT(here, SizeIs(kThreads));
  }
}

TEST(ThreadTeam, WaitsForPartsOnOtherThreads) {
  ThreadTeam team(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> begun = 0;
  std::atomic<int> done = 0;
  team.run(2, [&](std::int64_t) {
    begun++;
    while (begun < 2) std::this_thread::yield();
    // The other's part ends long after the caller has stopped spinning.
    if (std::this_thread::get_id() != caller) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    done++;
  });
  EXPECT_EQ(done, 2);
}

TEST(ThreadTeam, RunsOnePartOnTheCaller) {
  ThreadTeam team(2);
  std::thread::id ran;
  team.run(1, [&](std::int64_t) { ran = std::this_thread::get_id(); });
  EXPECT_EQ(ran, std::this_thread::get_id());
}

TEST(ThreadTeam, RunsOnANullStreamInOrderOnTheCaller) {
  std::vector<std::int64_t> parts;
  ThreadTeam::run_on(nullptr, 4, [&](std::int64_t part) { parts.push_back(part); });
  EXPECT_THAT(parts, testing::ElementsAre(0, 1, 2, 3));
}

TEST(ThreadTeam, RunsOnTheTeamOfAStream) {
  ThreadTeam team(2);
  std::atomic<std::int64_t> sum = 0;
  ThreadTeam::run_on(&team, 10, [&](std::int64_t part) { sum += part; });
  EXPECT_EQ(sum, 45);
}

TEST(ThreadTeam, SharesNoSmallWork) {
  ThreadTeam team(2);
  EXPECT_EQ(ThreadTeam::worth_sharing(&team, 1000), nullptr);
  EXPECT_EQ(ThreadTeam::worth_sharing(&team, 10'000'000), &team);
  EXPECT_EQ(ThreadTeam::worth_sharing(nullptr, 10'000'000), nullptr);
}

TEST(ThreadTeam, ServesTwoTeamsAtOnce) {
  std::atomic<std::int64_t> sum = 0;
  const auto work = [&] {
    ThreadTeam team(2);
    for (int call = 0; call < 500; ++call) team.run(4, [&](std::int64_t part) { sum += part; });
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(sum, 2 * 500 * 6);
}

TEST(ThreadTeamDeathTest, EndsTheProgramOnAnException) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(ThreadTeam::run_on(nullptr, 1, [](std::int64_t) { throw 1; }), "");
}

}  // namespace
}  // namespace lil::kernels
