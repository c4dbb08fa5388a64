#pragma once

#include <cstdint>
#include <string>

#include "schemas/store.h"
#include "schemas/trace_store.h"

namespace lil::schemas {

/// Writes one row of `trace_block`, inside the caller's transaction. For the files of this folder alone.
void write_trace_block(Store& store, TraceKey trace, std::int64_t block, const TokenChunk& chunk);

/// Appends all blocks of a trace to `tokens`, in order. Throws Error(kCorrupt) that starts with `where` and
/// names the block. For the files of this folder alone.
void read_trace_blocks(const Store& store, TraceKey trace, const std::string& where, TraceTokens& tokens);

}  // namespace lil::schemas
