#include "schemas/probe_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/error.h"
#include "schemas/trace_store.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace lil::schemas {
namespace {

using ::testing::HasSubstr;

class ProbeStoreTest : public ::testing::Test {
 protected:
  tests::TemporaryDirectory folder_;
  Store store_ = Store::open(folder_ / "s.db", Access::kCreate);
  TraceInfo trace_ = tests::put_text_trace(store_, "1", "42", "some text");
  Probe probe_{4, "</think>\n\n\\boxed{", {52, 300, 16384}, "42", ProbeFinish::kClosed};
};

TEST_F(ProbeStoreTest, ComeBackByToken) {
  Probe earlier = probe_;
  earlier.token = 2;
  earlier.finish = ProbeFinish::kStop;
  Probe other = probe_;
  other.closing = "Answer: ";
  other.ids.clear();
  other.finish = ProbeFinish::kLength;
  put_probe(store_, trace_.key, probe_);
  put_probe(store_, trace_.key, earlier);
  put_probe(store_, trace_.key, other);
  EXPECT_EQ(read_probes(store_, trace_.key), (std::vector<Probe>{earlier, probe_, other}));
  EXPECT_TRUE(check_store(store_).empty());
  SQLite::Statement row(store_.database(),
                        "SELECT trace_uid, problem_set, problem_id, token, text FROM v_probe");
  ASSERT_TRUE(row.executeStep());
  EXPECT_EQ(row.getColumn(0).getString(), trace_.uid);
  EXPECT_EQ(row.getColumn(2).getString(), "1");
}

TEST_F(ProbeStoreTest, PutTwiceIsThereOnceAndMustAgree) {
  put_probe(store_, trace_.key, probe_);
  put_probe(store_, trace_.key, probe_);
  EXPECT_EQ(read_probes(store_, trace_.key).size(), 1U);
  Probe other = probe_;
  other.ids[1] = 301;
  other.text = "43";
  try {
    put_probe(store_, trace_.key, other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConflict);
    EXPECT_THAT(error.what(), HasSubstr("trace " + trace_.uid + ": the probe after token 4"));
    EXPECT_THAT(error.what(), HasSubstr("from its token 1 on, it answers '43' now and answered '42'"));
  }
}

TEST_F(ProbeStoreTest, OfTwoThatWereCutElsewhereTheLongerStays) {
  Probe cut = probe_;
  cut.ids.pop_back();
  cut.text = "4";
  cut.finish = ProbeFinish::kLength;
  put_probe(store_, trace_.key, cut);
  put_probe(store_, trace_.key, probe_);
  EXPECT_EQ(read_probes(store_, trace_.key), std::vector<Probe>{probe_});
  put_probe(store_, trace_.key, cut);
  EXPECT_EQ(read_probes(store_, trace_.key), std::vector<Probe>{probe_});
  EXPECT_TRUE(has_probes(store_, trace_.uid));
  EXPECT_FALSE(has_probes(store_, "none"));
  cut.ids[0] = 53;
  EXPECT_THROW(put_probe(store_, trace_.key, cut), Error);
}

TEST_F(ProbeStoreTest, DamageIsNamed) {
  put_probe(store_, trace_.key, probe_);
  store_.database().exec("UPDATE probe SET ids = x'80'");
  try {
    (void)read_probes(store_, trace_.key);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("trace " + trace_.uid + ", probe after token 4"));
  }
}

}  // namespace
}  // namespace lil::schemas
