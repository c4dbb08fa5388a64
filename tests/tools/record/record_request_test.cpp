#include "tools/record/record_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "tools/record/plan_text.h"

namespace lil::tools {
namespace {

using schemas::Problem;

std::vector<Problem> numbered(int count) {
  std::vector<Problem> problems;
  for (int i = 0; i < count; ++i)
    problems.push_back({"set", std::to_string(i), "", "", schemas::AnswerKind::kNone});
  return problems;
}

std::vector<std::string> ids(const std::vector<Problem>& problems) {
  std::vector<std::string> all;
  for (const Problem& problem : problems) all.push_back(problem.id);
  return all;
}

TEST(Shard, PartsTogetherAreEveryProblemOnceAndOfLikeSize) {
  std::multiset<std::string> all;
  for (int part = 1; part <= 4; ++part) {
    const auto problems = of_shard(numbered(400), "set", std::to_string(part) + "/4");
    EXPECT_GT(problems.size(), 70U);
    EXPECT_LT(problems.size(), 130U);
    for (const std::string& id : ids(problems)) all.insert(id);
  }
  const auto expected = ids(numbered(400));
  EXPECT_EQ(all, std::multiset<std::string>(expected.begin(), expected.end()));
  EXPECT_EQ(of_shard(numbered(7), "set", "1/1").size(), 7U);
}

TEST(Shard, DependsOnSetAndIdAlone) {
  const auto of_all = ids(of_shard(numbered(50), "set", "2/3"));
  const auto of_few = ids(of_shard(numbered(20), "set", "2/3"));
  EXPECT_THAT(of_all, testing::IsSupersetOf(of_few));
  EXPECT_NE(ids(of_shard(numbered(50), "other", "2/3")), of_all);
}

TEST(Shard, RefusesWhatIsNone) {
  for (const char* shard : {"1", "0/3", "4/3", "a/3", "1/0", "/"}) {
    EXPECT_THROW((void)of_shard(numbered(3), "set", shard), Error) << shard;
  }
}

TEST(Ids, ComeInTheirOrder) {
  EXPECT_THAT(ids(with_ids(numbered(9), {"7,2", "5"}, "f")), testing::ElementsAre("7", "2", "5"));
  EXPECT_THROW((void)with_ids(numbered(9), {"9"}, "f"), Error);
}

TEST(PlanText, SaysSizesAndNumbersForReaders) {
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text(std::int64_t{5} << 30), "5.0 GiB");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(33000), "33,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  record::BatchPlan plan;
  plan.batch = plan.resident = 16;
  plan.kv_bytes = std::int64_t{3} << 29;
  plan.max_tokens = 33000;
  EXPECT_EQ(plan_text(plan), "KV pool 1.5 GiB for 16 sequences of up to 33,000 tokens");
  plan.resident = 5;
  plan.probe_lanes = 2;
  EXPECT_EQ(
      plan_text(plan),
      "KV pool 1.5 GiB for 16 sequences of up to 33,000 tokens, of which 5 are sure to fit at a time, and "
      "2 beside them for probes");
}

TEST(Size, IsReadWithItsUnit) {
  EXPECT_EQ(parse_size("x", "4g"), std::int64_t{4} << 30);
  EXPECT_EQ(parse_size("x", "1.5GiB"), std::int64_t{3} << 29);
  EXPECT_EQ(parse_size("x", "800M"), std::int64_t{800} << 20);
  EXPECT_EQ(parse_size("x", "4096"), 4096);
  for (const char* text : {"", "g", "4x", "4gg", "0", "-1g", "nan"})
    EXPECT_THROW((void)parse_size("x", text), Error);
}

}  // namespace
}  // namespace lil::tools
