#include "tools/table.h"

#include <gtest/gtest.h>

#include <string>

#include "schemas/error.h"

namespace lil::tools {
namespace {

Table sample() {
  Table table({"rule", "kept", "saved"});
  table.add_row({std::string("guardian(f=250,t=20)"), std::int64_t{135722}, Fixed{0.8172768, 6}});
  table.add_row({std::string("a \"b\" | ü"), std::int64_t{7}, {}});
  return table;
}

TEST(Table, TerminalTableAlignsByCharactersAndNumbersRight) {
  EXPECT_EQ(sample().render(TableFormat::kTable),
            "rule                    kept     saved\n"
            "--------------------  ------  --------\n"
            "guardian(f=250,t=20)  135722  0.817277\n"
            "a \"b\" | ü                  7\n");
}

TEST(Table, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(sample().render(TableFormat::kCsv),
            "rule,kept,saved\n\"guardian(f=250,t=20)\",135722,0.817277\n\"a \"\"b\"\" | ü\",7,\n");
}

TEST(Table, JsonKeepsNumbersAsNumbersAndUnknownAsNull) {
  EXPECT_EQ(sample().render(TableFormat::kJson),
            "[\n  {\n    \"rule\": \"guardian(f=250,t=20)\",\n    \"kept\": 135722,\n    \"saved\": "
            "0.817277\n  },\n"
            "  {\n    \"rule\": \"a \\\"b\\\" | ü\",\n    \"kept\": 7,\n    \"saved\": null\n  }\n]\n");
}

TEST(Table, MarkdownEscapesBars) {
  EXPECT_EQ(sample().render(TableFormat::kMarkdown),
            "| rule                 |   kept |    saved |\n"
            "| -------------------- | -----: | -------: |\n"
            "| guardian(f=250,t=20) | 135722 | 0.817277 |\n"
            "| a \"b\" \\| ü           |      7 |          |\n");
}

TEST(Table, LatexEscapesItsSpecialCharacters) {
  Table table({"a_b", "n"});
  table.add_row({std::string("50 % & {x}"), std::int64_t{1}});
  EXPECT_EQ(table.render(TableFormat::kLatex),
            "\\begin{tabular}{lr}\n\\hline\na\\_b & n \\\\\n\\hline\n50 \\% \\& \\{x\\} & 1 \\\\\n\\hline\n"
            "\\end{tabular}\n");
}

TEST(Table, EmptyTablesHaveTheirHead) {
  EXPECT_EQ(Table({"a"}).render(TableFormat::kCsv), "a\n");
  EXPECT_EQ(Table({"a"}).render(TableFormat::kJson), "[]\n");
}

TEST(Table, UnknownFormatListsTheKnown) {
  try {
    (void)parse_table_format("xml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "--format: unknown format 'xml'; known are: table, csv, json, markdown, latex");
  }
}

}  // namespace
}  // namespace lil::tools
