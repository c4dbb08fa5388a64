#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "record/tokenizer/tokenizer.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {

using Ids = std::vector<schemas::TokenId>;
using Special = record::Tokenizer::SpecialTokens;
using MergeList = std::vector<std::pair<std::string, std::string>>;

/// load_tokenizer on a file of this content.
inline std::unique_ptr<record::Tokenizer> load_text(const std::string& content) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "tokenizer.json", std::ios::binary) << content;
  return record::load_tokenizer(directory.path());
}

/// A byte-level tokenizer.json: 256 bytes in order of their code points, then what the merges make. Without
/// `pattern` a text is one piece.
inline nlohmann::json byte_level_json(const MergeList& merges, const std::string& pattern = "") {
  nlohmann::json vocab = nlohmann::json::object();
  const auto add = [&](const std::string& token) {
    if (!vocab.contains(token)) vocab[token] = vocab.size();
  };
  int other = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool own = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const int code = own ? byte : other++;
    add(code < 0x80
            ? std::string(1, static_cast<char>(code))
            : std::string{static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))});
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [left, right] : merges) {
    add(left + right);
    list.push_back({left, right});
  }
  nlohmann::json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  if (!pattern.empty()) {
    byte_level = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}}, byte_level}}};
  }
  return {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}}, {"pre_tokenizer", byte_level}};
}

inline std::string base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = (word << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[(word >> (18 - 6 * k)) & 63U];
    }
  }
  return text;
}

/// A rank file of all bytes and then `pieces`.
inline std::string tiktoken_text(const std::vector<std::string>& pieces) {
  std::string text;
  int rank = 0;
  for (int byte = 0; byte < 256; ++byte) {
    text += base64(std::string(1, static_cast<char>(byte))) + " " + std::to_string(rank++) + "\n";
  }
  for (const std::string& piece : pieces) text += base64(piece) + " " + std::to_string(rank++) + "\n";
  return text;
}

inline std::string decode(const record::Tokenizer& tokenizer, const Ids& ids) {
  std::string text;
  tokenizer.vocabulary().append_text(ids, text);
  return text;
}

/// The pattern of Qwen2's tokenizer.json.
inline constexpr const char* kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace lil::tests
