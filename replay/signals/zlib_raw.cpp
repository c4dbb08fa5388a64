#include "replay/signals/deflate.h"

namespace lil::replay {

/// `zlib_raw(level=6)`: as `zlib`, without header and checksum.
std::unique_ptr<Signal> make_zlib_raw(const schemas::Arguments& arguments) {
  return make_deflate(arguments, DeflateWrapper::kNone);
}

}  // namespace lil::replay
