#pragma once

#include <cstdint>

namespace lil::schemas {

/// Index of a token in a tokenizer's vocabulary.
using TokenId = std::int32_t;

/// Row keys of one store file. They are not stable across files: uids are.
enum class TokenizerKey : std::int64_t {};
enum class RunKey : std::int64_t {};
enum class ProblemKey : std::int64_t {};
enum class TraceKey : std::int64_t {};

}  // namespace lil::schemas
