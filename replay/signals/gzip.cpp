#include "replay/signals/deflate.h"

namespace lil::replay {

/// `gzip(level=6)`: as `zlib`, in the gzip format.
std::unique_ptr<Signal> make_gzip(const schemas::Arguments& arguments) {
  return make_deflate(arguments, DeflateWrapper::kGzip);
}

}  // namespace lil::replay
