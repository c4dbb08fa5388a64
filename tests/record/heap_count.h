#pragma once

#include <cstdint>

namespace lil::tests {

/// How often the program took memory from the heap by `new`, on all threads. Counts in a program that
/// heap_count.cpp is part of.
[[nodiscard]] std::int64_t heap_allocations();

}  // namespace lil::tests
