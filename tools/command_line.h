#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/trace_store.h"

namespace lil::tools {

/// The options of one command. A value is looked for among the flags, then in the environment
/// (`LIL_MAX_TOKENS` for `--max-tokens`), then in the file that `--config` names (`max-tokens = 32k`),
/// and is the default last.
class CommandLine {
 public:
  /// `usage` is the form without the program's name, as `replay store.db [options]`.
  CommandLine(std::string usage, std::string summary);

  /// Declares an option with one value; with an empty default it may be left out.
  void option(const std::string& name, const std::string& value_name, const std::string& help,
              const std::string& default_value = "");
  /// Declares an option that may be given several times.
  void repeated(const std::string& name, const std::string& value_name, const std::string& help,
                const std::vector<std::string>& default_values = {});
  void flag(const std::string& name, const std::string& help);

  /// Options that several commands share, spelt and described alike.
  void add_threads();
  void add_where();
  void add_progress();
  void add_output(const std::string& default_format = "table");

  /// Reads the arguments after the command's name. Throws Error(kUsage). False: help or the resolved
  /// configuration was asked for and printed, and there is nothing more to do.
  [[nodiscard]] bool parse(const std::vector<std::string>& arguments);

  [[nodiscard]] const std::vector<std::string>& positional() const { return positional_; }
  /// The first positional argument. Throws Error(kUsage) where there is none.
  [[nodiscard]] const std::string& store() const;
  /// Throws Error(kUsage) where more than `most` positional arguments are given.
  void expect_at_most(std::size_t most) const;

  [[nodiscard]] bool given(const std::string& name) const;
  [[nodiscard]] std::string text(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> texts(const std::string& name) const;
  [[nodiscard]] std::int64_t count(const std::string& name) const;
  [[nodiscard]] int threads() const;
  [[nodiscard]] schemas::TraceFilter where() const;
  /// `name(key=value,…)` values with their lists and ranges multiplied out.
  [[nodiscard]] std::vector<std::string> specs(const std::string& name) const;

 private:
  void read_environment();
  void read_config_file();
  void print_help() const;
  void print_configuration() const;

  std::string usage_;
  std::string summary_;
  boost::program_options::options_description visible_;
  boost::program_options::variables_map values_;
  std::vector<std::string> positional_;
};

}  // namespace lil::tools
