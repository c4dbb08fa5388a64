#pragma once

#include <span>

#include "analyze/answers/extractor.h"
#include "schemas/registry.h"

namespace lil::analyze {

/// Every extractor there is.
[[nodiscard]] std::span<const schemas::RegistryRow<ExtractorFactory>> extractor_registry();

}  // namespace lil::analyze
