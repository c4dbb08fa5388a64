#pragma once

#include <string_view>

#include "schemas/ids.h"

namespace lil::record {

/// Watches one trace while it is generated, and may end it.
class TokenObserver {
 public:
  virtual ~TokenObserver() = default;

  /// Called for every generated token in order, the end-of-sequence token included. `bytes` is what the
  /// token adds to the text, nothing for a special token. True: this token is the trace's last.
  [[nodiscard]] virtual bool observe(schemas::TokenId id, std::string_view bytes) = 0;
};

}  // namespace lil::record
