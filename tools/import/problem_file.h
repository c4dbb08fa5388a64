#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "schemas/trace.h"

namespace lil::tools {

/// How to read a problem file.
struct ProblemFileOptions {
  std::string set;                     ///< name of the problem set; empty: the file's stem
  std::vector<std::string> fields;     ///< `problem=…`, `gold=…`, `id=…`: keys or JSON pointers
  bool allow_missing_answers = false;  ///< a problem without one has kind none
};

/// What a problem file holds.
struct ProblemFile {
  std::vector<schemas::Problem> problems;  ///< in the file's order, at least one; ids are unique
  std::string sha256;                      ///< of the file
};

/// Reads a problem set: JSON lines or a JSON array, gzip, xz and zstd included, `-` for standard input. The
/// problem, its right answer and its id stand under the given fields or under the usual keys: GSM8K (the
/// answer after `####`), MATH-500, AIME, AMC (27.0 is the answer `27`) are read as they come. A problem
/// without an id has its index in the file, from 0.
///
/// A recording rests on every problem, so that nothing is left out: throws Error(kInput) naming file, line
/// and column for malformed JSON, a record without problem text or (unless allowed) answer, with the keys
/// tried, and for an id that stands twice; Error(kUsage) for a wrong field; kNotFound and kEnvironment.
[[nodiscard]] ProblemFile read_problem_file(const std::filesystem::path& path,
                                            const ProblemFileOptions& options);

}  // namespace lil::tools
