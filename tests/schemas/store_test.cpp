#include "schemas/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>

#include "schemas/error.h"
#include "schemas/run_store.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace lil::schemas {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class StoreTest : public ::testing::Test {
 protected:
  tests::TemporaryDirectory folder_;
  std::filesystem::path path_ = folder_ / "s.db";

  std::string open_message(Access access) {
    return message_of([&] { (void)Store::open(path_, access); });
  }
};

TEST_F(StoreTest, ReadingWhatIsNotThereDoesNotMakeIt) {
  for (const Access access : {Access::kRead, Access::kWrite}) {
    EXPECT_THAT(open_message(access), EndsWith("s.db: no such trace store"));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StoreTest, FilesThatAreNoStoresAreNamedAndLeftAlone) {
  std::ofstream(path_) << "id,answer\n1,2\nand enough text to be longer than a header\n";
  for (const Access access : {Access::kRead, Access::kCreate}) {
    EXPECT_THAT(open_message(access), EndsWith("s.db is not a trace store (no SQLite file)"));
  }
  std::filesystem::remove(path_);
  SQLite::Database(path_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE other (a)");
  for (const Access access : {Access::kRead, Access::kCreate}) {
    EXPECT_THAT(open_message(access), EndsWith("s.db is an SQLite file, but not a trace store"));
  }
  path_ = folder_.path();
  EXPECT_THAT(open_message(Access::kCreate), HasSubstr("is a folder, not a trace store"));
}

TEST_F(StoreTest, EmptyFileIsNoStoreToReadButOneToWrite) {
  const std::ofstream made(path_);
  EXPECT_THAT(open_message(Access::kRead), EndsWith("is an empty file, not a trace store"));
  EXPECT_EQ(open_message(Access::kCreate), "no error");
  EXPECT_EQ(open_message(Access::kRead), "no error");
}

TEST_F(StoreTest, NewerVersionIsRefusedByName) {
  (void)Store::open(path_, Access::kCreate);
  SQLite::Database(path_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  for (const Access access : {Access::kRead, Access::kCreate}) {
    EXPECT_THAT(open_message(access),
                HasSubstr("s.db is a trace store of version 99; this program knows versions up"));
  }
}

TEST_F(StoreTest, SecondWriterIsToldOfTheLock) {
  const Store first = Store::open(path_, Access::kCreate);
  first.database().exec("BEGIN IMMEDIATE");
  Store second = Store::open(path_, Access::kCreate);
  second.database().setBusyTimeout(1);
  EXPECT_THAT(message_of([&] { const Transaction transaction(second); }),
              EndsWith("s.db is locked by another program that writes to it"));
}

TEST_F(StoreTest, ReadersSeeCommittedDataWhileAWriterWrites) {
  Store writer = Store::open(path_, Access::kCreate);
  put_tokenizer(writer, Vocabulary::bytes());
  const Store reader = Store::open(path_, Access::kRead);
  Transaction transaction(writer);
  put_failure(writer, {std::nullopt, "x", "import", "uncommitted"});
  EXPECT_TRUE(list_failures(reader).empty());
  transaction.commit();
  EXPECT_EQ(list_failures(reader).size(), 1U);
}

TEST_F(StoreTest, TransactionsRollBackUnlessCommittedAndNest) {
  Store store = Store::open(path_, Access::kCreate);
  {
    const Transaction dropped(store);
    put_failure(store, {std::nullopt, "a", "import", "m"});
  }
  EXPECT_TRUE(list_failures(store).empty());
  Transaction outer(store);
  put_failure(store, {std::nullopt, "a", "import", "m"});
  {
    const Transaction inner(store);
    put_failure(store, {std::nullopt, "b", "import", "m"});
  }
  {
    Transaction inner(store);
    put_failure(store, {std::nullopt, "c", "import", "m"});
    inner.commit();
  }
  outer.commit();
  EXPECT_EQ(list_failures(store).size(), 2U);
}

TEST_F(StoreTest, PutTwiceIsThereOnce) {
  Store store = Store::open(path_, Access::kCreate);
  const auto tokenizer = put_tokenizer(store, Vocabulary::bytes());
  EXPECT_EQ(put_tokenizer(store, Vocabulary::bytes()), tokenizer);
  const auto run = tests::minimal_run("{}", tokenizer);
  EXPECT_EQ(put_run(store, run), put_run(store, run));
  const Problem problem{"set", "1", "text", "42", AnswerKind::kNumber};
  EXPECT_EQ(put_problem(store, problem), put_problem(store, problem));
  Problem other = problem;
  other.gold = "43";
  EXPECT_THAT(message_of([&] { put_problem(store, other); }),
              HasSubstr("problem '1' of set 'set' is there already with another gold answer"));
  put_failure(store, {std::nullopt, "x", "import", "m"});
  put_failure(store, {std::nullopt, "x", "import", "m"});
  EXPECT_EQ(list_failures(store).size(), 1U);
}

TEST_F(StoreTest, RunComesBackWhole) {
  Store store = Store::open(path_, Access::kCreate);
  auto run = tests::minimal_run("{\"a\":1}", put_tokenizer(store, Vocabulary::bytes()));
  run.host = "h";
  run.cap_tokens = std::nullopt;
  run.prompt_template = "{problem}";
  run.stop_rule = "guardian(f=250,t=20)";
  put_run(store, run);
  const auto stored = list_runs(store).at(0).record;
  EXPECT_EQ(stored.uid, run.uid);
  EXPECT_EQ(stored.host, "h");
  EXPECT_EQ(stored.cap_tokens, std::nullopt);
  EXPECT_EQ(stored.prompt_template, "{problem}");
  EXPECT_EQ(stored.stop_rule, "guardian(f=250,t=20)");
  EXPECT_EQ(stored.sampler, "greedy");
  EXPECT_EQ(stored.configuration, "{\"a\":1}");
  EXPECT_EQ(stored.status, "open");
}

TEST_F(StoreTest, VocabularyComesBackAndDamageIsNoticed) {
  Store store = Store::open(path_, Access::kCreate);
  const Vocabulary vocabulary(
      "bpe", {{"a", false}, {"", false}, {std::string("\0\xff", 2), false}, {"<eos>", true}});
  const auto key = put_tokenizer(store, vocabulary);
  const Vocabulary back = read_vocabulary(store, key);
  EXPECT_EQ(back.kind(), "bpe");
  EXPECT_EQ(back.token(2).bytes, std::string("\0\xff", 2));
  std::string text;
  std::vector<std::int64_t> ends;
  const std::vector<TokenId> ids{0, 3, 2, 1};
  back.append_text(ids, text, &ends);
  EXPECT_EQ(text, std::string("a\0\xff", 3));
  EXPECT_EQ(ends, (std::vector<std::int64_t>{1, 1, 3, 3}));
  EXPECT_THAT(message_of([&] { (void)back.token(4); }),
              HasSubstr("token id 4 is outside the vocabulary of 4 tokens"));

  store.database().exec("UPDATE tokenizer SET kind = 'wordlevel'");
  EXPECT_THAT(message_of([&] { (void)read_vocabulary(store, key); }), HasSubstr("does not have its SHA-256"));
}

}  // namespace
}  // namespace lil::schemas
