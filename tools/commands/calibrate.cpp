#include "analyze/calibration/calibrate.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyze/calibration/certificate.h"
#include "analyze/calibration/risks.h"
#include "analyze/extraction.h"
#include "schemas/certificate_store.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "tools/command_line.h"
#include "tools/commands/calibration_options.h"
#include "tools/commands/command.h"
#include "tools/commands/shares.h"
#include "tools/commands/source_options.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using analyze::Calibration;
using analyze::Certificate;
using analyze::Interval;
using analyze::PartReport;

constexpr double kFewRight = 0.25;  // a bound on harm says little where less is right

const std::vector<std::string>& part_columns() {
  static const std::vector<std::string> names{"part",  "problems", "traces",     "tokens",     "kept",
                                              "saved", "stopped",  "right_full", "right_stop", "harm",
                                              "gain",  "risk",     "p_value"};
  return names;
}

std::vector<Value> part_row(const std::string& name, const PartReport& part, std::optional<double> p_value) {
  const analyze::Cell& cell = part.cell;
  return {name,
          cell.problems,
          cell.traces,
          cell.tokens,
          cell.kept,
          Fixed{cell.tokens == 0 ? 0 : 1 - share(cell.kept, cell.tokens), kShareDecimals},
          cell.stopped,
          cell.right_full,
          cell.right_stop,
          cell.harm,
          cell.gain,
          Fixed{part.risk, kShareDecimals},
          p_value ? Value(Fixed{*p_value, kShareDecimals}) : Value()};
}

/// For programs: every part under the columns that name the setting.
Table whole_table(const std::vector<std::pair<std::string, const PartReport*>>& parts,
                  std::optional<double> p_value) {
  std::vector<std::string> names{"run", "problem_set", "signal", "stream", "rule"};
  names.insert(names.end(), part_columns().begin(), part_columns().end());
  Table table(names);
  for (const auto& [name, part] : parts) {
    const analyze::Cell& cell = part->cell;
    std::vector<Value> row{cell.run, cell.problem_set, cell.signal, cell.stream, cell.rule};
    const bool tested = name == "calibrate" || parts.size() == 1;
    for (Value& value : part_row(name, *part, tested ? p_value : std::nullopt))
      row.push_back(std::move(value));
    table.add_row(std::move(row));
  }
  return table;
}

std::string chains_text(const Calibration& found) {
  std::string names;
  for (const std::string& name : found.chains) names += (names.empty() ? "" : ", ") + name;
  return names;
}

/// What was looked at, and what was chosen on tune.
std::string preamble(const Calibration& found, const analyze::CalibrationRequest& request) {
  return fmt::format(
      "{} problems to tune on, {} to calibrate on, {} to test on (split seed {})\n"
      "chosen on tune: {} of {}, {}; {} hypotheses by {}, {} p-values, first level {:.4g}\n",
      found.problems[0], found.problems[1], found.problems[2], request.split.seed, found.signal, found.stream,
      chains_text(found), found.hypotheses, analyze::to_string(request.procedure),
      analyze::to_string(found.p_value_kind), found.level);
}

std::string test_text(const analyze::TestReport& test) {
  const analyze::Cell& cell = test.part.cell;
  const double change = share(cell.right_stop - cell.right_full, cell.traces);
  std::string text = fmt::format(
      "on test: saves {} of tokens ({}), harm {} of {} ({} %), accuracy {} in full, {} at the stop, "
      "difference {:.1f} "
      "({}){}\n",
      percent(1 - share(cell.kept, cell.tokens)), percent(test.saved), cell.harm, cell.traces,
      percent(test.harm), percent(share(cell.right_full, cell.traces)),
      percent(share(cell.right_stop, cell.traces)), 100 * change, percent(test.difference),
      test.mcnemar ? fmt::format(", McNemar p = {:.3g}", *test.mcnemar) : "");
  return text + (test.has_repeats ? "intervals: 95 %, bootstrap over problems\n"
                                  : "intervals: 95 %; tokens by bootstrap over problems, harm exact, "
                                    "difference by Tango's score\n");
}

std::string certified_text(const Certificate& certificate, TableFormat format) {
  Table table(part_columns());
  table.add_row(part_row("tune", certificate.tune, std::nullopt));
  table.add_row(part_row("calibrate", certificate.calibrate, certificate.p_value));
  table.add_row(part_row("test", certificate.test.part, std::nullopt));
  const analyze::Cell& cell = certificate.calibrate.cell;
  const std::string little =
      share(cell.right_full, cell.traces) >= kFewRight
          ? ""
          : fmt::format(
                "only {} of {} calibrate traces are right in full: there is little that could be harmed\n",
                cell.right_full, cell.traces);
  return fmt::format("certified: {}\n{}{}{}", analyze::claim_of(certificate), little, table.render(format),
                     test_text(certificate.test));
}

std::int64_t in_all(std::int64_t calibrate_problems, double share) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(calibrate_problems) / share));
}

/// The tested setting that came closest, and what it would take.
std::string closest_text(const analyze::Shortfall& least, double calibrate_share) {
  std::string text = fmt::format(
      "closest: {}, which saves {} on calibrate, harms {} traces of {} problems, risk {:.4g}, p = {:.4g}\n",
      least.rule, percent(least.saved), least.harm, least.problems, least.risk, least.p_value);
  if (!least.needed) return text + "at that risk no number of problems would do\n";
  return text + fmt::format("if it goes on like that, about {} calibrate problems are needed ({} in all)\n",
                            *least.needed, in_all(*least.needed, calibrate_share));
}

/// Why nothing is certified, and how many problems it would take.
std::string shortfall_text(const Calibration& found, const analyze::CalibrationRequest& request) {
  const double calibrate_share = request.split.shares[1];
  std::string text =
      fmt::format("not certified: {} at most {:g} with confidence {:g}, by any setting that saves tokens\n",
                  request.risk, request.alpha, 1 - request.delta);
  // Of a risk that stopping lowers the first setting stops all it can: where that is not enough nothing is.
  const bool stops_first = !analyze::find_risk(request.risk).none_without_stop;
  if (found.shortfall && stops_first && found.shortfall->risk > request.alpha) {
    text += fmt::format("stopping as early as {} can leaves a risk of {:.4g}, more than {:g}\n",
                        found.shortfall->rule, found.shortfall->risk, request.alpha);
  }
  const bool too_few = found.problems[1] < found.least_needed;
  if (too_few) {
    text += fmt::format("even without any loss it takes {} calibrate problems ({} in all); there are {}\n",
                        found.least_needed, in_all(found.least_needed, calibrate_share), found.problems[1]);
  }
  if (found.shortfall) return text + closest_text(*found.shortfall, calibrate_share);
  return too_few ? text : text + "no tested setting stops any of them\n";
}

/// What a reader of the certificate should know and no table says.
void warn_of(const Certificate& certificate) {
  if (!analyze::costs_answers(certificate)) return;
  const analyze::Cell& calibrate = certificate.calibrate.cell;
  const analyze::Cell& test = certificate.test.part.cell;
  fmt::print(
      stderr,
      "lil calibrate: warning: {} does not count right answers, and here they are lost: {} in full and "
      "{} at the stop of {} calibrate traces, {} and {} of {} test traces; see --risk harm or drop\n",
      certificate.risk, calibrate.right_full, calibrate.right_stop, calibrate.traces, test.right_full,
      test.right_stop, test.traces);
}

/// The choice among several certificates of the same data is not certified by any of them.
void warn_of_earlier(const std::vector<schemas::CertificateRecord>& stored, const std::string& run,
                     const std::string& problem_set, const std::string& uid) {
  const auto earlier = analyze::made_before(stored, run, problem_set, uid);
  if (earlier.empty()) return;
  const schemas::CertificateRecord& last = earlier.back();
  fmt::print(
      stderr,
      "lil calibrate: warning: these generations were calibrated on before ({} certificate{} in the store, "
      "the last {}: {} at most {:g}, {} on {} of {}, split seed {}): each holds alone; the best of several "
      "is not certified\n",
      earlier.size(), earlier.size() == 1 ? "" : "s", last.uid, last.risk, last.alpha, last.rule, last.signal,
      last.stream, last.split_seed);
}

/// Reading never fails because the store is read-only or in another writer's hands; keeping the result may.
void save_certificate(const std::string& path, const schemas::CertificateRecord& record) {
  try {
    schemas::Store store = schemas::Store::open(path, schemas::Access::kWrite);
    schemas::put_certificate(store, record);
    fmt::print(stderr, "certificate {} kept in {}\n", record.uid, path);
  } catch (const Error& error) {
    fmt::print(stderr, "lil calibrate: warning: the certificate is not kept in the store: {}\n",
               error.what());
  }
}

int calibrate(const CommandLine& line) {
  const TableFormat format = parse_table_format(line.text("format"));
  analyze::CalibrationRequest request;
  std::vector<std::string> left_out;
  read_calibration_options(line, request);
  read_source_options(line, request, left_out);
  request.threads = line.threads();
  Output output(line.text("output"));
  std::optional<Output> document;
  if (line.given("certificate")) document.emplace(line.text("certificate"));
  std::vector<schemas::CertificateRecord> earlier;
  const Calibration found = [&] {
    const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
    earlier = schemas::list_certificates(store);
    return analyze::calibrate(store, request);
  }();
  static_cast<void>(report_left_out(left_out));
  if (!found.certificate) {
    warn_of_earlier(earlier, found.run, found.problem_set, "");
    const std::string text = preamble(found, request) + shortfall_text(found, request);
    if (for_programs(format)) {
      fmt::print(stderr, "{}", text);
      output.write(whole_table({}, std::nullopt).render(format));
    } else {
      output.write(text);
    }
    return kNothingCertified;
  }
  const Certificate& certificate = *found.certificate;
  output.write(for_programs(format) ? whole_table({{"tune", &certificate.tune},
                                                   {"calibrate", &certificate.calibrate},
                                                   {"test", &certificate.test.part}},
                                                  certificate.p_value)
                                          .render(format)
                                    : preamble(found, request) + certified_text(certificate, format));
  const schemas::CertificateRecord record = analyze::certificate_record(certificate);
  warn_of(certificate);
  warn_of_earlier(earlier, record.run, record.problem_set, record.uid);
  if (document) document->write(record.document);
  if (!line.given("no-save")) save_certificate(line.store(), record);
  return left_out.empty() ? kDone : kSomeFailed;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::kEnvironment, fmt::format("--check: cannot read {}", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Tests the setting of a certificate on the data of another store.
int check(const CommandLine& line) {
  const TableFormat format = parse_table_format(line.text("format"));
  const std::string path = line.text("check");
  const analyze::CertifiedSetting setting = analyze::parse_certificate(read_text(path), path);
  Output output(line.text("output"));
  std::vector<std::string> left_out;
  analyze::SourceRequest request;
  request.filter = line.where();
  request.left_out = [&](const std::string& trace) { left_out.push_back(trace); };
  request.warning = warn_once();
  const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
  const analyze::Recheck found = analyze::recheck(store, request, setting);
  if (found.signal_version != setting.signal_version) {
    fmt::print(stderr,
               "lil calibrate: warning: certified with {} version {}; the curves here are of version {}\n",
               setting.signal, setting.signal_version, found.signal_version);
  }
  static_cast<void>(report_left_out(left_out));
  std::string text =
      found.only_test_part
          ? fmt::format("{}: only the problems that were not tuned or calibrated on{}\n", setting.problem_set,
                        found.same_run ? ", of the run that the certificate is of: the test part that it "
                                         "reports already, and no new data"
                                       : "")
          : "";
  Table table(part_columns());
  table.add_row(part_row("check", found.part, found.p_value));
  text += fmt::format(
      "{} on {} of {}: {} at most {:g} with confidence {:g} {} on this data alone ({} p = {:.4g})\n{}",
      found.rule, setting.signal, setting.stream, setting.risk, setting.alpha, 1 - setting.delta,
      found.holds ? "holds" : "is not shown", analyze::to_string(found.p_value_kind), found.p_value,
      table.render(for_programs(format) ? TableFormat::kTable : format));
  if (found.part.cell.stopped == 0) {
    text += "it stops none of these traces, so this says nothing of what its stops do\n";
  }
  if (!found.holds) {
    text += found.needed
                ? fmt::format("if it goes on like that, about {} problems are needed\n", *found.needed)
                : "at that risk no number of problems would do\n";
  }
  if (for_programs(format)) {
    fmt::print(stderr, "{}", text);
    output.write(whole_table({{"check", &found.part}}, found.p_value).render(format));
  } else {
    output.write(text);
  }
  if (!found.holds) return kNothingCertified;
  return left_out.empty() ? kDone : kSomeFailed;
}

void declare(CommandLine& line) {
  line.repeated("signal", "SPEC",
                "signals to choose from, as zlib(level=1,6); all that have curves where not given");
  line.repeated("stream", "NAME", "streams to choose from; all that have curves where not given");
  add_calibration_options(line);
  line.option("certificate", "FILE", "write the certificate as JSON to FILE");
  line.flag("no-save", "do not keep the certificate in the store");
  line.option("check", "FILE", "test the setting of the certificate FILE on the data of this store instead");
  add_answer_options(line);
  add_probe_options(line);
  line.option("seed", "N", "seed of the bootstrap", "0");
  line.add_where();
  line.add_threads();
  line.add_output();
}

}  // namespace

int run_calibrate(const std::vector<std::string>& arguments) {
  CommandLine line(
      "calibrate store.db [options]",
      "Finds the threshold that saves most tokens among those certified to keep a risk at most alpha with\n"
      "confidence 1 - delta, by Learn-then-Test: signal, stream and f are chosen on some problems, all\n"
      "thresholds are tested on others, and what comes of it is reported on the rest. Status 4 where no\n"
      "setting is certified, with the number of problems that it would take.");
  declare(line);
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  return line.given("check") ? check(line) : calibrate(line);
}

}  // namespace lil::tools
