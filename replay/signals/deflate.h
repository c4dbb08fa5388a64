#pragma once

#include <memory>

#include "replay/signal.h"
#include "schemas/named_spec.h"

namespace lil::replay {

/// What stands around the deflate stream.
enum class DeflateWrapper {
  kZlib,  ///< 2 bytes before, 4 after (RFC 1950)
  kGzip,  ///< 10 bytes before, 8 after (RFC 1952)
  kNone,  ///< the deflate stream alone (RFC 1951)
};

/// The size in bytes of one deflate stream (RFC 1951) of the prefix, finished, in its wrapper: what
/// `deflateInit2(level, Z_DEFLATED, windowBits 15, memLevel 8, Z_DEFAULT_STRATEGY)` and a single
/// `deflate(Z_FINISH)` over the whole prefix give. Flushing instead would count 20 to 40 bytes per 1000 more.
///
/// Where deflate_is_sized(level), nothing is compressed: deflate::Sizer follows zlib's parse, 200 kB of
/// memory, and a check costs a few microseconds. Elsewhere it is make_copying_deflate(). Defined in zlib.cpp.
[[nodiscard]] std::unique_ptr<Signal> make_deflate(const schemas::Arguments& arguments,
                                                   DeflateWrapper wrapper);

/// The same numbers from zlib itself, of any version: the stream is fed without flushing, and value()
/// finishes a copy of it. Both live in memory of the signal's own, about 540 kB, which every copy uses
/// again; copying it is most of what a check costs.
[[nodiscard]] std::unique_ptr<Signal> make_copying_deflate(const schemas::Arguments& arguments,
                                                           DeflateWrapper wrapper);

/// Whether the zlib found at run time is one of the versions that deflate::Sizer is written for, 1.2.11 to
/// 1.3.1, and gave the same sizes when first asked for this level, 1 to 9, on a text of 60 kB (a few
/// milliseconds, once a process). Safe from several threads.
[[nodiscard]] bool deflate_is_sized(int level);

}  // namespace lil::replay
