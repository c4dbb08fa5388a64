#pragma once

#include <string>

#include "analyze/report/page/explorer_data.h"
#include "analyze/report/page/page.h"

namespace lil::analyze::page {

/// The section `traces`, which scripts bring to life; without them it says that they are off.
[[nodiscard]] Section explorer_section(const ExplorerData& data);

/// The data as elements that run nothing.
[[nodiscard]] std::string data_elements(const ExplorerData& data);

}  // namespace lil::analyze::page
