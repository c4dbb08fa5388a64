#pragma once

#include "analyze/calibration/calibrate.h"
#include "tools/command_line.h"

namespace lil::tools {

/// Declares what a calibration is asked for by, beside signals and streams: f, risk, split, how to test.
void add_calibration_options(CommandLine& line);

/// Reads these, `--signal`, `--stream` and `--seed`. Throws Error(kUsage).
void read_calibration_options(const CommandLine& line, analyze::CalibrationRequest& request);

}  // namespace lil::tools
