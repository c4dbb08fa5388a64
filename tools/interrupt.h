#pragma once

#include <atomic>

namespace lil::tools {

/// Makes SIGINT and SIGTERM set a flag instead of ending the program at once, so that work can be brought
/// to a clean stop. A second signal ends it at once.
void catch_interrupts();

/// True from the first signal on. Pass it to what runs long.
[[nodiscard]] const std::atomic<bool>& interrupted();

/// 130 after SIGINT, 143 after SIGTERM.
[[nodiscard]] int interrupt_exit_code();

}  // namespace lil::tools
