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

struct Family {
  std::string_view name;
  Table (*table)();
};

constexpr std::array kFamilies{
    Family{"signals", [] { return table_of(replay::signal_rows()); }},
    Family{"rules", [] { return table_of(replay::stop_rule_rows()); }},
    Family{"policies", [] { return table_of(record::attention_policy_rows()); }},
    Family{"samplers", [] { return table_of(record::sampler_rows()); }},
    Family{"graders", [] { return table_of(analyze::grader_registry()); }},
    Family{"extractors", [] { return table_of(analyze::extractor_registry()); }},
    Family{"readers", [] { return table_of(log_readers()); }},
    Family{"templates",
           [] {
             Table table({"name", "text"});
             for (const auto& known : record::prompt_templates())
               table.add_row({std::string(known.name), std::string(known.text)});
             return table;
           }},
};

}  // namespace

int run_list(const std::vector<std::string>& arguments) {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : "|") + std::string(family.name);
  CommandLine line("list " + names,
                   "What can be named in the other commands' options, with parameters and defaults.");
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  for (const Family& family : kFamilies) {
    if (line.positional().empty() || family.name != line.positional()[0]) continue;
    const TableFormat format = parse_table_format(line.text("format"));
    Output output(line.text("output"));
    output.write(family.table().render(format));
    return kDone;
  }
  throw Error(ErrorCode::kUsage,
              line.positional().empty()
                  ? fmt::format("what to list is missing; known are: {}", names)
                  : fmt::format("there are no '{}'; known are: {}", line.positional()[0], names));
}

}  // namespace lil::tools
