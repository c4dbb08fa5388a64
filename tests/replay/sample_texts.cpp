#include "tests/replay/sample_texts.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lil::tests {
namespace {

std::vector<std::string> made_up_words(Random& random) {
  std::vector<std::string> words(400);
  for (std::string& word : words) {
    const std::size_t length = 2 + below(random, 8);
    while (word.size() < length) word += static_cast<char>('a' + below(random, 26));
  }
  return words;
}

void append_code_point(std::uint32_t code, std::string& text) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (code < 0x80U) {
    byte(code);
  } else if (code < 0x800U) {
    byte(0xC0U | (code >> 6U));
    byte(0x80U | (code & 0x3FU));
  } else if (code < 0x10000U) {
    byte(0xE0U | (code >> 12U));
    byte(0x80U | ((code >> 6U) & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  } else {
    byte(0xF0U | (code >> 18U));
    byte(0x80U | ((code >> 12U) & 0x3FU));
    byte(0x80U | ((code >> 6U) & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  }
}

}  // namespace

std::string random_bytes(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(below(random, 256));
  return text;
}

std::string repetitive_text(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  const std::string phrase = prose(20 + below(random, 60), seed + 1);
  std::string text;
  while (text.size() < bytes) {
    text += phrase;
    if (below(random, 9) == 0) text[text.size() - 1 - below(random, phrase.size())] = '#';
  }
  text.resize(bytes);
  return text;
}

std::string prose(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  const std::vector<std::string> words = made_up_words(random);
  std::string text;
  while (text.size() < bytes) {
    const std::size_t range = 1 + below(random, words.size());
    text += words[below(random, range)];
    text += below(random, 12) == 0 ? ".\n" : " ";
  }
  text.resize(bytes);
  return text;
}

std::string looping_prose(std::size_t bytes, std::uint64_t seed) {
  std::string text = prose(bytes / 2, seed);
  const std::string sentence = prose(73, seed + 1);
  while (text.size() < bytes) text += sentence;
  text.resize(bytes);
  return text;
}

std::string multilingual_text(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  constexpr std::array<std::uint32_t, 5> kScripts = {0x61, 0x430, 0x905, 0x4E00, 0x1F600};
  std::string text;
  while (text.size() < bytes) {
    const std::uint32_t script = kScripts[below(random, kScripts.size())];
    const std::size_t length = 1 + below(random, 12);
    for (std::size_t i = 0; i < length; ++i) {
      append_code_point(script + static_cast<std::uint32_t>(below(random, 24)), text);
    }
    text += ' ';
  }
  text.resize(bytes);
  return text;
}

std::vector<SampleText> sample_texts(std::size_t bytes, std::uint64_t seed) {
  return {{"random", random_bytes(bytes, seed)},
          {"repetitive", repetitive_text(bytes, seed)},
          {"prose", prose(bytes, seed)},
          {"looping", looping_prose(bytes, seed)},
          {"multilingual", multilingual_text(bytes, seed)}};
}

replay::Stream cut_into_tokens(std::string bytes, std::size_t prompt_bytes, std::uint64_t seed) {
  Random random(seed);
  replay::Stream stream;
  stream.start = static_cast<std::int64_t>(prompt_bytes);
  for (std::size_t end = prompt_bytes; end < bytes.size();) {
    const std::size_t length = below(random, 50) == 0 ? below(random, 300) : below(random, 10);
    end = std::min(bytes.size(), end + length);
    stream.ends.push_back(static_cast<std::int64_t>(end));
  }
  stream.bytes = std::move(bytes);
  return stream;
}

replay::Stream stream_of(const std::vector<std::string>& tokens) {
  replay::Stream stream;
  for (const std::string& token : tokens) {
    stream.bytes += token;
    stream.ends.push_back(static_cast<std::int64_t>(stream.bytes.size()));
  }
  return stream;
}

}  // namespace lil::tests
