#include <fmt/format.h>

#include <array>
#include <span>

#include "analyze/answers/registry.h"
#include "analyze/graders/registry.h"
#include "record/attention_policy.h"
#include "record/prompt_template.h"
#include "record/sampler.h"
#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "schemas/error.h"
#include "schemas/registry.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/import/log_reader.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

std::string described(const std::vector<schemas::Parameter>& parameters) {
  std::string text;
  for (const schemas::Parameter& parameter : parameters) {
    const bool needed = parameter.default_value.empty();
    text += fmt::format("{}{}{}{} ({})", text.empty() ? "" : "; ", parameter.name, needed ? "" : "=",
                        parameter.default_value, schemas::allowed_values(parameter));
  }
  return text;
}

template <class Factory>
Table table_of(std::span<const schemas::RegistryRow<Factory>> rows) {
  Table table({"name", "description", "parameters"});
  for (const auto& row : rows) table.add_row({row.name, row.description, described(row.parameters)});
  return table;
}

/// Every parameter of one entry.
template <class Factory>
Table parameters_of(const char* kind, std::span<const schemas::RegistryRow<Factory>> rows,
                    const std::string& name) {
  Table table({"parameter", "default", "values", "description"});
  for (const schemas::Parameter& parameter : schemas::find_row(kind, rows, name).parameters) {
    table.add_row({parameter.name, parameter.default_value.empty() ? "needed" : parameter.default_value,
                   schemas::allowed_values(parameter), parameter.description});
  }
  return table;
}

Table templates_table() {
  Table table({"name", "text"});
  for (const auto& known : record::prompt_templates())
    table.add_row({std::string(known.name), std::string(known.text)});
  return table;
}

struct Family {
  std::string_view name;
  Table (*table)();
  Table (*parameters)(const std::string& entry);  ///< nullptr: its entries have none
};

constexpr std::array kFamilies{
    Family{"signals", [] { return table_of(replay::signal_rows()); },
           [](const std::string& entry) { return parameters_of("signal", replay::signal_rows(), entry); }},
    Family{
        "rules", [] { return table_of(replay::stop_rule_rows()); },
        [](const std::string& entry) { return parameters_of("stop rule", replay::stop_rule_rows(), entry); }},
    Family{"policies", [] { return table_of(record::attention_policy_rows()); },
           [](const std::string& entry) {
             return parameters_of("attention policy", record::attention_policy_rows(), entry);
           }},
    Family{"samplers", [] { return table_of(record::sampler_rows()); },
           [](const std::string& entry) { return parameters_of("sampler", record::sampler_rows(), entry); }},
    Family{"graders", [] { return table_of(analyze::grader_registry()); }, nullptr},
    Family{"extractors", [] { return table_of(analyze::extractor_registry()); }, nullptr},
    Family{"readers", [] { return table_of(log_readers()); }, nullptr},
    Family{"templates", templates_table, nullptr},
};

/// What was asked for: a family, or one entry of it.
Table table_asked_for(const Family& family, const std::vector<std::string>& words) {
  if (words.size() < 2) return family.table();
  if (family.parameters != nullptr) return family.parameters(words[1]);
  throw Error(ErrorCode::kUsage,
              fmt::format("{} have no parameters; see `lil list {}`", family.name, family.name));
}

}  // namespace

int run_list(const std::vector<std::string>& arguments) {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : "|") + std::string(family.name);
  CommandLine line("list " + names + " [NAME]",
                   "What can be named in the other commands' options, with parameters and defaults; with a\n"
                   "NAME, as `list rules guardian`, what each of its parameters means.");
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(2);
  for (const Family& family : kFamilies) {
    if (line.positional().empty() || family.name != line.positional()[0]) continue;
    const TableFormat format = parse_table_format(line.text("format"));
    Output output(line.text("output"));
    output.write(table_asked_for(family, line.positional()).render(format));
    return kDone;
  }
  throw Error(ErrorCode::kUsage,
              line.positional().empty()
                  ? fmt::format("what to list is missing; known are: {}", names)
                  : fmt::format("there are no '{}'; known are: {}", line.positional()[0], names));
}

}  // namespace lil::tools
