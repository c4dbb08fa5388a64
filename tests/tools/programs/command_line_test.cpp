#include "tools/command_line.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "tests/support/temporary_directory.h"
#include "tools/output.h"

namespace lil::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

CommandLine declared() {
  CommandLine line("toy store.db [options]", "A toy.");
  line.option("max-tokens", "N", "cap", "32k");
  line.repeated("signal", "SPEC", "signals", {"zlib"});
  line.flag("dry-run", "only say");
  line.add_threads();
  return line;
}

std::string usage_error(const std::vector<std::string>& arguments) {
  try {
    CommandLine line = declared();
    (void)line.parse(arguments);
    (void)line.store();
    (void)line.count("max-tokens");
    line.expect_at_most(1);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(CommandLineTest, FlagsComeBeforeEnvironmentBeforeConfigFileBeforeDefaults) {
  const tests::TemporaryDirectory folder;
  const std::string config = folder / "lil.conf";
  std::ofstream(config) << "max-tokens = 1k\nthreads = 3\n";
  const std::vector<std::string> with_config{"s.db", "--config", config};

  CommandLine defaults = declared();
  ASSERT_TRUE(defaults.parse({"s.db"}));
  EXPECT_EQ(defaults.count("max-tokens"), 32768);

  CommandLine from_file = declared();
  ASSERT_TRUE(from_file.parse(with_config));
  EXPECT_EQ(from_file.count("max-tokens"), 1024);
  EXPECT_EQ(from_file.threads(), 3);

  setenv("LIL_MAX_TOKENS", "2k", 1);
  CommandLine from_environment = declared();
  ASSERT_TRUE(from_environment.parse(with_config));
  EXPECT_EQ(from_environment.count("max-tokens"), 2048);

  CommandLine from_flags = declared();
  ASSERT_TRUE(from_flags.parse({"s.db", "--config", config, "--max-tokens", "5"}));
  EXPECT_EQ(from_flags.count("max-tokens"), 5);
  unsetenv("LIL_MAX_TOKENS");
}

TEST(CommandLineTest, RepeatedSpecsMultiplyOut) {
  CommandLine line = declared();
  ASSERT_TRUE(line.parse({"s.db", "--signal", "zlib(level=1,6)", "--signal", "lz4,lz77"}));
  EXPECT_THAT(line.specs("signal"), ElementsAre("zlib(level=1)", "zlib(level=6)", "lz4", "lz77"));
  CommandLine defaults = declared();
  ASSERT_TRUE(defaults.parse({"s.db"}));
  EXPECT_THAT(defaults.specs("signal"), ElementsAre("zlib"));
}

TEST(CommandLineTest, WrongUsageIsNamed) {
  EXPECT_THAT(usage_error({}), HasSubstr("the store is missing; usage: lil toy store.db"));
  EXPECT_THAT(usage_error({"s.db", "--max"}), HasSubstr("--max"));
  EXPECT_THAT(usage_error({"s.db", "--max-tokens", "lots"}),
              HasSubstr("--max-tokens: 'lots' is not a count such as 250 or 32k"));
  EXPECT_THAT(usage_error({"s.db", "more"}), HasSubstr("'more' is one argument too many"));
}

TEST(CommandLineTest, ConfigFileThatIsNotThereOrHasAnUnknownNameIsAnError) {
  const tests::TemporaryDirectory folder;
  CommandLine missing = declared();
  EXPECT_THROW((void)missing.parse({"s.db", "--config", folder / "none.conf"}), Error);
  std::ofstream(folder / "bad.conf") << "colour = red\n";
  EXPECT_THAT(usage_error({"s.db", "--config", folder / "bad.conf"}), HasSubstr("bad.conf"));
}

TEST(OutputTest, FileIsReplacedOnlyWhenAllIsThere) {
  const tests::TemporaryDirectory folder;
  const std::string path = folder / "out.csv";
  std::ofstream(path) << "old";
  {
    Output dropped(path);
    dropped.stream() << "half";
  }
  const auto content = [&] {
    std::ifstream file(path);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  EXPECT_EQ(content(), "old");
  Output output(path);
  output.write("new");
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "no temporary is left";
}

TEST(OutputTest, LinksModesAndPipesStayWhatTheyAre) {
  const tests::TemporaryDirectory folder;
  const std::filesystem::path target = folder / "target.csv";
  std::ofstream(target) << "old";
  std::filesystem::permissions(target,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink(target, folder / "link.csv");
  Output(folder / "link.csv").write("new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.csv"));
  EXPECT_EQ(std::filesystem::file_size(target), 3U);
  EXPECT_EQ(std::filesystem::status(target).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int both_ends = open(pipe.c_str(), O_RDWR);
  Output(pipe).write("through");
  std::string read_back(7, ' ');
  EXPECT_EQ(read(both_ends, read_back.data(), read_back.size()), 7);
  EXPECT_EQ(read_back, "through");
  close(both_ends);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 3)
      << "no temporary is left";
}

TEST(OutputTest, UnwritablePlaceIsAnErrorAtOnce) {
  const tests::TemporaryDirectory folder;
  try {
    const Output output(folder / "no/such/folder.csv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), EndsWith("no/such/folder.csv: No such file or directory"));
  }
}

}  // namespace
}  // namespace lil::tools
