// Is every lie of a safetensors header found, and named?

#include "record/weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "schemas/error.h"
#include "schemas/sha256.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using record::SafetensorsFile;
using testing::HasSubstr;

class SafetensorsTest : public testing::Test {
 protected:
  /// What opening a file of this header and data says; "opened" where nothing is wrong.
  std::string message(const std::string& header, const std::string& data = std::string(16, 'x')) {
    write_raw_safetensors(path_, header, data);
    return message_of_file();
  }
  std::string message_of_file() {
    try {
      const SafetensorsFile file(path_);
      return "opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
      return error.what();
    }
  }

  TemporaryDirectory folder_;
  std::filesystem::path path_ = folder_ / "w.safetensors";
};

TEST_F(SafetensorsTest, GivesTypeShapeAndBytesOfEveryTensor) {
  write_raw_safetensors(path_,
                        R"({"__metadata__":{"format":"pt"},)"
                        R"("b":{"dtype":"BF16","shape":[2,1,3],"data_offsets":[4,16]},)"
                        R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                        R"("none":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}})",
                        "0123456789abcdef");
  const SafetensorsFile file(path_);
  ASSERT_EQ(file.tensors().size(), 3U);
  const auto& b = file.tensors().at("b");
  EXPECT_EQ(b.type, record::ElementType::kBf16);
  EXPECT_EQ(b.shape, (std::vector<std::int64_t>{2, 1, 3}));
  ASSERT_EQ(b.bytes.size(), 12U);
  EXPECT_EQ(std::memcmp(b.bytes.data(), "456789abcdef", 12), 0);
  EXPECT_EQ(file.tensors().at("a").bytes.size(), 4U);
  EXPECT_EQ(file.tensors().at("none").bytes.size(), 0U);
}

TEST_F(SafetensorsTest, RefusesFilesTooShortForALength) {
  for (const std::size_t bytes : {0U, 7U}) {
    write_text(path_, std::string(bytes, '\0'));
    EXPECT_THAT(message_of_file(), HasSubstr("this one has " + std::to_string(bytes)));
  }
}

TEST_F(SafetensorsTest, RefusesALengthBeyondTheFile) {
  write_text(path_, std::string("\x03\0\0\0\0\0\0\0{}", 10));
  EXPECT_THAT(message_of_file(), HasSubstr("says it is 3 bytes long, the file has 2"));
  write_text(path_, std::string("\x02\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(message_of_file(), "opened");
  write_text(path_, std::string(8, '\xff') + "{}");
  EXPECT_THAT(message_of_file(), HasSubstr("says it is 18446744073709551615 bytes long"));
}

TEST_F(SafetensorsTest, RefusesWhatIsNotJsonNamingTheByte) {
  // The eighth character of the header, after 8 bytes of length, is the file's sixteenth byte.
  EXPECT_THAT(message(R"({"a":1,x})"), HasSubstr("not JSON at byte 16"));
  EXPECT_THAT(message(R"({"a":)"), HasSubstr("not JSON at byte"));
  EXPECT_THAT(message("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("not JSON at byte"));
}

TEST_F(SafetensorsTest, RefusesEntriesThatLackSomething) {
  EXPECT_THAT(message(R"({"a":3})"), HasSubstr("tensor 'a': its entry is not a JSON object"));
  EXPECT_THAT(message(R"({"a":{"shape":[1],"data_offsets":[0,4]}})"), HasSubstr("'dtype' is missing"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})"), HasSubstr("'shape' is missing"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1]}})"), HasSubstr("'data_offsets' is missing"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})"),
              HasSubstr("has 3 numbers instead of 2"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})"),
              HasSubstr("-1 in 'shape' is not a non-negative integer"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})"),
              HasSubstr("1.5 in 'shape'"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})"),
              HasSubstr("18446744073709551615 in 'data_offsets'"));
}

TEST_F(SafetensorsTest, RefusesUnknownTypes) {
  EXPECT_THAT(message(R"({"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}})"),
              HasSubstr("tensor 'a': unknown dtype 'F7'"));
}

TEST_F(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  const std::string at_end = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}})";
  EXPECT_EQ(message(at_end), "opened");
  EXPECT_THAT(message(at_end, std::string(15, 'x')),
              HasSubstr("data_offsets [12, 16] do not lie in the 15 bytes"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[8,4]}})"),
              HasSubstr("[8, 4] do not lie"));
}

TEST_F(SafetensorsTest, RefusesShapesThatNeedOtherSizes) {
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})"),
              HasSubstr("shape [2] of F32 needs 8 bytes, its data_offsets [0, 4] hold 4"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
              HasSubstr("needs more than 2^63 bytes"));
}

TEST_F(SafetensorsTest, RefusesOverlaps) {
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                      R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_EQ(message(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
            "opened");
}

TEST_F(SafetensorsTest, RefusesDuplicateNames) {
  const std::string entry = R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  EXPECT_THAT(message(R"({"a":)" + entry + R"(,"a":)" + entry + "}"), HasSubstr("has the name 'a' twice"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}})"),
              HasSubstr("has the name 'dtype' twice"));
}

class ModelWeightsTest : public testing::Test {
 protected:
  void write_index(const std::string& text) { write_text(folder_ / "model.safetensors.index.json", text); }
  std::string message() {
    try {
      const record::ModelWeights weights(folder_.path());
      return "opened";
    } catch (const Error& error) {
      return error.what();
    }
  }

  TemporaryDirectory folder_;
};

TEST_F(ModelWeightsTest, FindsTensorsInShardsAndHashesAllOfThem) {
  write_safetensors(folder_ / "one.safetensors", {{"a", {{1}, {1}}}});
  write_safetensors(folder_ / "two.safetensors", {{"b", {{2}, {2, 3}}}});
  write_index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const record::ModelWeights weights(folder_.path());
  EXPECT_EQ(weights.tensor("b").shape, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(weights.file_of("b").filename(), "two.safetensors");
  const std::string listing = schemas::sha256_of_file(folder_ / "one.safetensors") + "  one.safetensors\n" +
                              schemas::sha256_of_file(folder_ / "two.safetensors") + "  two.safetensors\n";
  EXPECT_EQ(weights.sha256(), schemas::sha256_hex(listing));
  EXPECT_THROW((void)weights.tensor("c"), Error);
}

TEST_F(ModelWeightsTest, HashOfOneFileIsThatOfSha256sum) {
  write_safetensors(folder_ / "model.safetensors", {{"a", {{1}, {1}}}});
  const record::ModelWeights weights(folder_.path());
  EXPECT_EQ(weights.sha256(), schemas::sha256_of_file(folder_ / "model.safetensors"));
}

TEST_F(ModelWeightsTest, RefusesAWrongIndex) {
  write_index("{");
  EXPECT_THAT(message(), HasSubstr("the index is not JSON at byte"));
  write_index(R"({"weights":{}})");
  EXPECT_THAT(message(), HasSubstr("'weight_map' is missing"));
  write_index(R"({"weight_map":{"a":7}})");
  EXPECT_THAT(message(), HasSubstr("tensor 'a': its file is not a string"));
  write_index(R"({"weight_map":{"a":"../one.safetensors"}})");
  EXPECT_THAT(message(), HasSubstr("'../one.safetensors' is not a plain file name"));
  write_index(R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(message(), HasSubstr("one.safetensors, which is not there"));
  write_safetensors(folder_ / "one.safetensors", {{"b", {{1}, {1}}}});
  EXPECT_THAT(message(), HasSubstr("tensor 'a': its shard one.safetensors does not have it"));
}

}  // namespace
}  // namespace lil::tests
