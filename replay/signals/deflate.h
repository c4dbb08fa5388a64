#pragma once

#include <memory>

#include "replay/signal.h"
#include "schemas/named_spec.h"

namespace lil::replay {

/// What stands around the deflate stream.
enum class DeflateWrapper {
  kZlib,  ///< 2 bytes before, 4 after (RFC 1950)
  kGzip,  ///< 10 bytes before, 8 after (RFC 1952)
};

/// The size in bytes of one deflate stream (RFC 1951) of the prefix, finished, in its wrapper: what
/// `deflateInit2(level, Z_DEFLATED, windowBits 15, memLevel 8, Z_DEFAULT_STRATEGY)` and a single
/// `deflate(Z_FINISH)` over the whole prefix give. Flushing instead would count 20 to 40 bytes per 1000 more.
///
/// The stream is fed without flushing; value() finishes a copy of it. Both live in memory of the
/// signal's own, about 540 kB, which every copy uses again. Defined in zlib.cpp.
[[nodiscard]] std::unique_ptr<Signal> make_deflate(const schemas::Arguments& arguments,
                                                   DeflateWrapper wrapper);

}  // namespace lil::replay
