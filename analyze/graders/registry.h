#pragma once

#include <span>

#include "analyze/graders/grader.h"
#include "schemas/registry.h"

namespace lil::analyze {

/// Every grader there is.
[[nodiscard]] std::span<const schemas::RegistryRow<GraderFactory>> grader_registry();

}  // namespace lil::analyze
