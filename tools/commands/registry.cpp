#include <array>

#include "tools/commands/command.h"

namespace lil::tools {

int run_analyze(const std::vector<std::string>& arguments);
int run_calibrate(const std::vector<std::string>& arguments);
int run_compare(const std::vector<std::string>& arguments);
int run_grade(const std::vector<std::string>& arguments);
int run_import(const std::vector<std::string>& arguments);
int run_list(const std::vector<std::string>& arguments);
int run_record(const std::vector<std::string>& arguments);
int run_replay(const std::vector<std::string>& arguments);
int run_report(const std::vector<std::string>& arguments);
int run_trace(const std::vector<std::string>& arguments);

namespace {

constexpr std::array kCommands{
    Command{"record", "decode problems under attention policies and store every token", run_record},
    Command{"import", "read the logs of other engines into a store", run_import},
    Command{"replay", "compute the curves of signals over stored traces", run_replay},
    Command{"grade", "find the answers in stored traces and compare them with the gold answers", run_grade},
    Command{"analyze", "what stopping early would have saved and cost", run_analyze},
    Command{"calibrate", "the threshold that saves most at a certified risk", run_calibrate},
    Command{"compare", "signals at equal risk, runs against each other, what a check costs", run_compare},
    Command{"report", "figures, tables and traces in one page to look at", run_report},
    Command{"trace", "list, show, check and export stored traces", run_trace},
    Command{"list", "signals, rules, policies, graders, readers and templates with their parameters",
            run_list},
};

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

}  // namespace lil::tools
