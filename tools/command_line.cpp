#include "tools/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::tools {
namespace {

namespace po = boost::program_options;

constexpr const char* kPositional = "positional-arguments";
using Texts = std::vector<std::string>;

/// Boost takes no empty default for a value that is there; this one means "left out".
po::typed_value<std::string>* text_value(const std::string& value_name, const std::string& default_value) {
  auto* value = po::value<std::string>()->value_name(value_name);
  return default_value.empty() ? value : value->default_value(default_value);
}

}  // namespace

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)), visible_("Options", 100, 60) {
  flag("help,h", "show this help");
  option("config", "FILE", "read options from FILE, a line `name = value` each");
  flag("print-config", "print the resolved options as JSON and do nothing");
}

void CommandLine::option(const std::string& name, const std::string& value_name, const std::string& help,
                         const std::string& default_value) {
  visible_.add_options()(name.c_str(), text_value(value_name, default_value), help.c_str());
}

void CommandLine::repeated(const std::string& name, const std::string& value_name, const std::string& help,
                           const std::vector<std::string>& default_values) {
  auto* value = po::value<Texts>()->value_name(value_name);
  if (!default_values.empty())
    value->default_value(default_values, fmt::format("{}", fmt::join(default_values, " ")));
  visible_.add_options()(name.c_str(), value, help.c_str());
}

void CommandLine::flag(const std::string& name, const std::string& help) {
  visible_.add_options()(name.c_str(), po::bool_switch(), help.c_str());
}

void CommandLine::add_threads() {
  option("threads", "N", "threads to work with; 0 takes all cores", "0");
}

void CommandLine::add_where() {
  option("where", "KEY=VALUE", "only traces with this run, model, policy, problem_set, problem_id or uid");
}

void CommandLine::add_progress() {
  option("progress", "MODE", "auto, bar, plain, json or none; on stderr", "auto");
}

void CommandLine::add_output(const std::string& default_format) {
  option("format", "FORMAT", "table, csv, json, markdown or latex", default_format);
  option("output", "FILE", "write the result to FILE instead of stdout");
}

bool CommandLine::parse(const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add(visible_).add_options()(kPositional, po::value<Texts>());
  po::positional_options_description positions;
  positions.add(kPositional, -1);
  try {
    const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(positions).style(style).run(),
              values_);
    read_environment();
    if (given("config")) read_config_file();
    po::notify(values_);
  } catch (const po::error& error) {
    throw Error(ErrorCode::kUsage, fmt::format("{}; `lil {} --help` lists the options", error.what(),
                                               usage_.substr(0, usage_.find(" store.db"))));
  }
  if (values_.count(kPositional) > 0) positional_ = values_[kPositional].as<Texts>();
  if (values_["help"].as<bool>()) {
    print_help();
    return false;
  }
  if (values_["print-config"].as<bool>()) {
    print_configuration();
    return false;
  }
  return true;
}

void CommandLine::read_environment() {
  const auto option_of = [this](const std::string& variable) -> std::string {
    if (variable.rfind("LIL_", 0) != 0) return "";
    std::string name = variable.substr(4);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return c == '_' ? '-' : static_cast<char>(std::tolower(c)); });
    return visible_.find_nothrow(name, false) != nullptr && name != "help" && name != "print-config" ? name
                                                                                                     : "";
  };
  po::store(po::parse_environment(visible_, option_of), values_);
}

void CommandLine::read_config_file() {
  const std::string path = text("config");
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kEnvironment, fmt::format("--config: cannot read {}", path));
  try {
    po::store(po::parse_config_file(file, visible_), values_);
  } catch (const po::error& error) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: {}", path, error.what()));
  }
}

void CommandLine::print_help() const {
  std::cout << fmt::format("Usage: lil {}\n\n{}\n\n", usage_, summary_) << visible_;
}

void CommandLine::print_configuration() const {
  nlohmann::ordered_json configuration;
  for (const auto& option : visible_.options()) {
    const std::string& name = option->long_name();
    if (name == "help" || name == "config" || name == "print-config" || values_.count(name) == 0) continue;
    const boost::any& value = values_[name].value();
    if (const auto* text = boost::any_cast<std::string>(&value)) configuration[name] = *text;
    if (const auto* texts = boost::any_cast<Texts>(&value)) configuration[name] = *texts;
    if (const auto* flag = boost::any_cast<bool>(&value)) configuration[name] = *flag;
  }
  std::cout << configuration.dump(2) << '\n';
}

const std::string& CommandLine::store() const {
  if (positional_.empty()) {
    throw Error(ErrorCode::kUsage, fmt::format("the store is missing; usage: lil {}", usage_));
  }
  return positional_.front();
}

void CommandLine::expect_at_most(std::size_t most) const {
  if (positional_.size() > most) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}' is one argument too many; usage: lil {}", positional_[most], usage_));
  }
}

bool CommandLine::given(const std::string& name) const {
  if (values_.count(name) == 0) return false;
  const auto* flag = boost::any_cast<bool>(&values_[name].value());
  return flag == nullptr || *flag;
}

std::string CommandLine::text(const std::string& name) const {
  return values_.count(name) == 0 ? "" : values_[name].as<std::string>();
}

std::vector<std::string> CommandLine::texts(const std::string& name) const {
  return values_.count(name) == 0 ? Texts{} : values_[name].as<Texts>();
}

std::int64_t CommandLine::count(const std::string& name) const {
  return schemas::parse_count("--" + name, text(name));
}

int CommandLine::threads() const {
  constexpr std::int64_t kMost = 1024;
  const std::int64_t asked = count("threads");
  if (asked > kMost)
    throw Error(ErrorCode::kUsage, fmt::format("--threads: {} is more than {}", asked, kMost));
  return asked > 0 ? static_cast<int>(asked)
                   : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

schemas::TraceFilter CommandLine::where() const {
  return given("where") ? schemas::parse_trace_filter(text("where")) : schemas::TraceFilter{};
}

std::vector<std::string> CommandLine::specs(const std::string& name) const {
  Texts expanded;
  for (const std::string& text : texts(name)) {
    for (std::string& spec : schemas::expand_named_specs(text)) expanded.push_back(std::move(spec));
  }
  return expanded;
}

}  // namespace lil::tools
