#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "record/run_configuration.h"
#include "replay/guardian.h"
#include "tools/command_line.h"

namespace lil::tools {

/// What `lil record` was asked for, checked as far as it can be without a model.
struct RecordRequest {
  std::string store;
  std::filesystem::path model;
  std::string device;
  std::string dtype;
  int threads = 1;
  std::vector<std::string> policies;
  record::ProblemSet problems;
  record::RecordOptions options;  ///< all but the policy; kv_bytes 0 where nothing was asked for
  std::optional<replay::GuardianSpec> stop;
  std::string progress;
};

[[nodiscard]] CommandLine record_command_line();

/// Reads the problems too. Throws Error(kUsage), and what reading a problem file throws.
[[nodiscard]] RecordRequest read_record_request(const CommandLine& line);

/// The problems with these ids, in their order. Throws Error(kUsage) for an id that is not there.
[[nodiscard]] std::vector<schemas::Problem> with_ids(const std::vector<schemas::Problem>& problems,
                                                     const std::vector<std::string>& id_lists,
                                                     const std::string& file);

/// Part I of N of the problems, by problem_hash: `I/N`, I from 1 on. Which part a problem is in depends on
/// its set's name and its id alone. Throws Error(kUsage) for what is no such part.
[[nodiscard]] std::vector<schemas::Problem> of_shard(std::vector<schemas::Problem> problems,
                                                     const std::string& set, const std::string& shard);

}  // namespace lil::tools
