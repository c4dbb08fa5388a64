#include "schemas/error.h"
#include "tools/command_line.h"
#include "tools/commands/calibration_options.h"
#include "tools/commands/command.h"
#include "tools/commands/compare_modes.h"
#include "tools/commands/source_options.h"

namespace lil::tools {
namespace {

void declare(CommandLine& line) {
  line.repeated("signal", "SPEC",
                "a signal, as zlib(level=6); lists and ranges multiply; all that have curves where not given "
                "(--cost: all there are)");
  line.repeated(
      "stream", "NAME",
      "text, prompt+text, ids32, prompt+ids32; all that have curves where not given (--cost: text)");
  line.option("reference", "SPEC",
              "the signal that the others are held against; zlib, if it is there, where not given");
  add_calibration_options(line);
  line.option("loop-repeats", "N", "repeats of a period that make the end of a trace a loop, at least", "3");
  line.option("loop-tokens", "N", "tokens of such a loop, at least", "64");
  line.flag("roc", "every point of the ROC of each signal instead");
  line.option(
      "against", "KEY=VALUE",
      "compare runs: those that --where selects against these, as policy=full; of several stores these "
      "are the first one's");
  line.flag("changed", "the problems that are right in one run and not in the other instead");
  line.option("html", "FILE", "of runs: also write one page with the problems of every pair drawn");
  line.flag("cost", "measure the cost of a check");
  line.option("every", "TOKENS", "--cost: tokens between one check and the next", "50");
  line.option("tokens", "COUNTS", "--cost: lengths to look at", "8k,32k,128k");
  add_answer_options(line);
  add_probe_options(line);
  line.option("seed", "N", "seed of the bootstrap", "0");
  line.add_where();
  line.add_threads();
  line.add_output();
}

}  // namespace

int run_compare(const std::vector<std::string>& arguments) {
  CommandLine line(
      "compare store.db [other.db …] [options]",
      "Signals at equal certified risk: each is calibrated on its own, on the same split at the same alpha "
      "and\n"
      "delta (see lil calibrate), and does on the test problems what its certificate allows. Shown are the\n"
      "tokens saved, and by how much more than the reference signal, paired by problem; the harm; how long\n"
      "after the first token of a loop it stops; and over all thresholds of the f that did best on tune, "
      "the\n"
      "area under the ROC for \"from here on nothing is gained\" and under the savings-accuracy curve. To "
      "take\n"
      "the best signal of this table is a choice by the test problems, and certified no more.\n"
      "\n"
      "With other stores, or --against: runs against each other, paired by problem: the difference in "
      "accuracy\n"
      "(Tango's interval, exact McNemar), the ratio of lengths, and --changed, which problems changed. Runs "
      "of\n"
      "the same problem set are held against each other; where any two agree in model, sampler, from store "
      "to\n"
      "store policy, template, cap, live stop rule, seed or dtype, in this order, only such are. Those left "
      "out\n"
      "are named; --where and --against with run=… choose others. A is the first store or --against, B the\n"
      "others or --where.\n"
      "\n"
      "With --cost: what watching with each signal costs on the text of a store, its traces end to end as "
      "far\n"
      "as the longest length goes (text that loops costs less): the rate of feeding it, and the time of one\n"
      "check at several lengths; beside it the same number by measuring the prefix afresh, and a plain "
      "copy.");
  declare(line);
  if (!line.parse(arguments)) return kDone;
  const bool runs = line.positional().size() > 1 || line.given("against");
  if (line.given("html") && (!runs || line.given("cost"))) {
    throw Error(ErrorCode::kUsage, line.given("cost")
                                       ? "--html: it draws pairs of runs, not the --cost of signals"
                                       : "--html: it draws pairs of runs, and of one store alone signals are "
                                         "compared: name another store, or runs by --against, as --against "
                                         "policy=full");
  }
  if (line.given("cost")) return compare_cost(line);
  if (runs) return compare_runs(line);
  if (line.given("changed")) {
    throw Error(ErrorCode::kUsage,
                "--changed: problems change from run to run; name another store or --against");
  }
  return compare_signals(line);
}

}  // namespace lil::tools
