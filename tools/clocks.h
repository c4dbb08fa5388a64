#pragma once

#include <cstdint>
#include <string>

namespace lil::tools {

/// CPU time of the calling thread, and time that only goes forward, in nanoseconds. Libraries read no
/// clock: the programs hand them these.
[[nodiscard]] std::int64_t thread_cpu_ns();
[[nodiscard]] std::int64_t steady_ns();
/// Now, as `2026-01-31T12:00:00Z`.
[[nodiscard]] std::string utc_now();

}  // namespace lil::tools
