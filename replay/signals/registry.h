#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "replay/signal.h"
#include "schemas/registry.h"

namespace lil::replay {

using SignalFactory = std::unique_ptr<Signal> (*)(const schemas::Arguments& arguments);
using SignalRow = schemas::RegistryRow<SignalFactory>;

/// Every signal, in the order in which lists show them.
[[nodiscard]] std::span<const SignalRow> signal_rows();

/// The signal that `spec`, a `name(key=value,…)`, describes. Throws Error(kUsage) that says what is known
/// or allowed.
[[nodiscard]] std::unique_ptr<Signal> make_signal(std::string_view spec);

}  // namespace lil::replay
