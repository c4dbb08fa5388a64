#include "schemas/writer_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "schemas/error.h"
#include "tests/support/temporary_directory.h"

namespace lil::schemas {
namespace {

TEST(WriterLockTest, OneHoldsItAtATimeAndNothingIsLeftBehind) {
  const tests::TemporaryDirectory folder;
  const auto store = folder / "s.db";
  std::optional<WriterLock> first(store);
  try {
    const WriterLock second(store);
    FAIL() << "two writers hold the lock";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("another program is adding traces to " + store.string()));
  }
  first.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  const WriterLock third(store);
}

TEST(WriterLockTest, AFileLeftByAKilledWriterDoesNotHinderTheNext) {
  const tests::TemporaryDirectory folder;
  const auto store = folder / "s.db";
  { std::ofstream(store.string() + ".lock"); }
  const WriterLock lock(store);
}

TEST(WriterLockTest, AFolderThatIsNotThereIsNamed) {
  const tests::TemporaryDirectory folder;
  EXPECT_THROW(WriterLock(folder / "none" / "s.db"), Error);
}

}  // namespace
}  // namespace lil::schemas
