// Does a plan use the memory it may have, and no more?

#include "record/batch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/error.h"

namespace lil::tests {
namespace {

using record::BatchNeeds;
using record::BatchPlan;
using record::plan_batch;

BatchNeeds needs(std::int64_t batch, std::int64_t limit = 0, double probe_share = 0) {
  return {
      .batch = batch, .kv_bytes = limit, .traces = 1000, .sequence_bytes = 100, .probe_share = probe_share};
}

TEST(BatchPlan, TakesWhatIsAskedForWhereThereIsNoLimit) {
  const BatchPlan automatic = plan_batch(needs(0));
  EXPECT_EQ(automatic.batch, 16);
  EXPECT_EQ(automatic.resident, 16);
  EXPECT_EQ(automatic.kv_bytes, 1600);
  EXPECT_EQ(plan_batch(needs(40)).kv_bytes, 4000);
  BatchNeeds few = needs(40);
  few.traces = 3;
  EXPECT_EQ(plan_batch(few).batch, 3);
  EXPECT_EQ(plan_batch(few).kv_bytes, 300);
}

TEST(BatchPlan, StaysWithinALimit) {
  EXPECT_EQ(plan_batch(needs(16, 1600)).kv_bytes, 1600);
  EXPECT_EQ(plan_batch(needs(16, 5000)).kv_bytes, 1600);
  const BatchPlan limited = plan_batch(needs(16, 1599));
  EXPECT_EQ(limited.kv_bytes, 1599);
  EXPECT_EQ(limited.resident, 15);
  EXPECT_EQ(limited.batch, 16) << "smaller traces may share what is there";
  EXPECT_EQ(plan_batch(needs(16, 100)).resident, 1);
  EXPECT_THROW((void)plan_batch(needs(16, 99)), Error);
}

TEST(BatchPlan, SetsMemoryAsideForProbes) {
  const BatchPlan plan = plan_batch(needs(16, 0, 0.2));
  EXPECT_EQ(plan.probe_lanes, 4);
  EXPECT_EQ(plan.kv_bytes, 2000);
  EXPECT_EQ(plan.probe_bytes, 400);
  EXPECT_EQ(plan_batch(needs(16, 0, 0.001)).probe_lanes, 1);
  EXPECT_EQ(plan_batch(needs(16, 0, 7)).probe_lanes, 16) << "no more than there are traces";
  for (std::int64_t limit = 200; limit < 2200; limit += 50) {
    const BatchPlan limited = plan_batch(needs(16, limit, 0.2));
    EXPECT_GE(limited.resident, 1);
    EXPECT_GE(limited.probe_lanes, 1);
    EXPECT_LE(limited.kv_bytes, limit);
    EXPECT_LE((limited.resident + limited.probe_lanes) * 100, limited.kv_bytes);
  }
  EXPECT_THROW((void)plan_batch(needs(16, 199, 0.2)), Error);
}

}  // namespace
}  // namespace lil::tests
