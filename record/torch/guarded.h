#pragma once

#include <exception>
#include <string>

#include "schemas/error.h"

namespace lil::record {

/// Calls `action`, which calls libtorch, and returns what it returns. What libtorch throws becomes
/// Error(kEnvironment): `doing`, and the first line of libtorch's reason, since the others are its stack.
template <class Action>
auto guarded(const std::string& doing, const Action& action) {
  try {
    return action();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string reason = error.what();
    throw Error(ErrorCode::kEnvironment, doing + ": " + reason.substr(0, reason.find('\n')));
  }
}

}  // namespace lil::record
