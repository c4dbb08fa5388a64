#pragma once

#include <string>

namespace lil::analyze::page {

/// A policy as one reads it: its name with its budget, as `sink(budget=64)`; the spelling itself where it is
/// of a log.
[[nodiscard]] std::string brief_policy(const std::string& policy);

}  // namespace lil::analyze::page
