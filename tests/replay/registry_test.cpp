// One file and one row: do the folders and the registries tell the same?
#include "replay/signals/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "replay/stop_rules/registry.h"
#include "schemas/error.h"

namespace lil::replay {
namespace {

std::set<std::string> entries_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(LIL_SOURCE_DIR) / folder)) {
    if (file.path().extension() == ".cpp") names.insert(file.path().stem().string());
  }
  EXPECT_EQ(names.erase("registry"), 1U);
  return names;
}

template <class Row>
std::set<std::string> names_of(std::span<const Row> rows) {
  std::set<std::string> names;
  for (const Row& row : rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " has two rows";
    EXPECT_FALSE(row.description.empty()) << row.name;
    EXPECT_EQ(row.description.find('\n'), std::string::npos) << row.name;
    for (const auto& parameter : row.parameters)
      EXPECT_FALSE(parameter.description.empty()) << parameter.name;
  }
  return names;
}

TEST(Registry, EverySignalHasAFileAndARow) {
  EXPECT_EQ(entries_in("replay/signals"), names_of(signal_rows()));
}

TEST(Registry, EveryStopRuleHasAFileAndARow) {
  EXPECT_EQ(entries_in("replay/stop_rules"), names_of(stop_rule_rows()));
}

TEST(Registry, AnUnknownSignalListsTheKnownOnes) {
  try {
    static_cast<void>(make_signal("zip"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(),
                testing::HasSubstr("unknown signal 'zip'; known are: zlib, zlib_raw, gzip, lz4, lz4hc,"));
  }
}

TEST(Registry, LevelsStopAtNine) {
  EXPECT_EQ(make_signal("zlib(level=9)")->name(), "zlib(level=9)");
  EXPECT_EQ(make_signal("gzip")->name(), "gzip(level=6)");
  EXPECT_THROW(static_cast<void>(make_signal("zlib(level=10)")), Error);
  EXPECT_THROW(static_cast<void>(make_signal("zlib(level=0)")), Error);
  EXPECT_THROW(static_cast<void>(make_signal("lz77(window=5)")), Error);
}

TEST(Registry, ANameThatCurvesAreStoredUnderStays) {
  EXPECT_EQ(make_signal("lz4")->name(), "lz4");
  EXPECT_EQ(make_signal("lz77")->name(), "lz77");
  EXPECT_EQ(make_signal("lz77(unit=phrases)")->name(), "lz77");
  EXPECT_EQ(make_signal("lz77(unit=bits)")->name(), "lz77(unit=bits)");
}

TEST(Registry, ALibrarySignalsVersionNamesTheLibrary) {
  for (const auto& [signal, library] : {std::pair{"lz4hc", "lz4"},
                                        {"zstd", "zstd"},
                                        {"brotli", "brotli"},
                                        {"lzma", "liblzma"},
                                        {"bzip2", "bzip2"}})
    EXPECT_THAT(make_signal(signal)->version(),
                testing::MatchesRegex(std::string("1 .") + library + " [0-9]+.[0-9]+.[0-9]+."))
        << signal;
}

}  // namespace
}  // namespace lil::replay
