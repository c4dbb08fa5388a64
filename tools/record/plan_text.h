#pragma once

#include <cstdint>
#include <string>

#include "record/batch_plan.h"

namespace lil::tools {

/// `1.2 GiB`; whole bytes below 1 KiB.
[[nodiscard]] std::string size_text(std::int64_t bytes);
/// `33,000`.
[[nodiscard]] std::string grouped(std::int64_t number);
/// `KV pool 1.2 GiB for 16 sequences of up to 33,000 tokens`, and what else is worth knowing of it. What the
/// policy holds for the pool's entries is part of the size.
[[nodiscard]] std::string plan_text(const record::BatchPlan& plan);

/// Inverse of size_text, roughly: `800m`, `1.5g`, `4GiB`. Throws Error(kUsage) that names `what`.
[[nodiscard]] std::int64_t parse_size(const std::string& what, const std::string& text);

}  // namespace lil::tools
