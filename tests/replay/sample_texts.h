#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "replay/stream.h"

namespace lil::tests {

using Random = std::mt19937_64;

/// Uniform in [0, bound), the same on every platform.
inline std::size_t below(Random& random, std::size_t bound) {
  return random() % bound;
}

std::string random_bytes(std::size_t bytes, std::uint64_t seed);
/// A phrase over and over, now and then with a byte changed.
std::string repetitive_text(std::size_t bytes, std::uint64_t seed);
/// Words of a small made-up language, a few much more frequent than the rest.
std::string prose(std::size_t bytes, std::uint64_t seed);
/// Prose up to the middle, then one sentence for ever: what a generation that loops looks like.
std::string looping_prose(std::size_t bytes, std::uint64_t seed);
/// Characters of one to four bytes; cut off anywhere at the end, so perhaps inside one.
std::string multilingual_text(std::size_t bytes, std::uint64_t seed);

struct SampleText {
  std::string name;
  std::string bytes;
};
/// One of each kind above.
std::vector<SampleText> sample_texts(std::size_t bytes, std::uint64_t seed);

/// Cuts `bytes` into tokens of 0 to 9 bytes, some far longer, with no regard to characters; the first
/// `prompt_bytes` are the prompt.
replay::Stream cut_into_tokens(std::string bytes, std::size_t prompt_bytes, std::uint64_t seed);
/// These tokens, without prompt.
replay::Stream stream_of(const std::vector<std::string>& tokens);

}  // namespace lil::tests
