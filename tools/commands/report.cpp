#include "analyze/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "analyze/report/figure/style.h"
#include "schemas/error.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/commands/source_options.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace lil::tools {
namespace {

namespace fs = std::filesystem;

/// A share between 0 and 1, neither of them.
double share_option(const CommandLine& line, const std::string& name) {
  const std::string text = line.text(name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0 && value < 1)) {
    throw Error(ErrorCode::kUsage, fmt::format("--{}: '{}' is not a number between 0 and 1", name, text));
  }
  return value;
}

analyze::ReportRequest request_from(const CommandLine& line, std::vector<std::string>& left_out) {
  analyze::ReportRequest request;
  read_source_options(line, request, left_out);
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.rules = line.specs("rule");
  request.alpha = share_option(line, "alpha");
  request.delta = share_option(line, "delta");
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  request.most_traces = line.count("traces");
  request.threads = line.threads();
  return request;
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Error(ErrorCode::kEnvironment, fmt::format("cannot make the folder {}: {}", path, error.message()));
}

/// A figure's file of an earlier report in the folder, beside one that has no such figure, would be taken for
/// its own.
void remove_other_figures(const fs::path& folder, const std::vector<analyze::ReportFigure>& figures) {
  std::set<std::string> written;
  for (const analyze::ReportFigure& figure : figures) written.insert(figure.id);
  std::vector<fs::path> stale;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string id = entry.path().stem().string();
    const std::string kind = entry.path().extension().string();
    const bool is_asset = entry.is_regular_file() && (kind == ".svg" || kind == ".csv");
    if (is_asset && analyze::is_report_figure(id) && written.count(id) == 0) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) {
    if (!error) fs::remove(path, error);
  }
  if (error) {
    throw Error(ErrorCode::kEnvironment,
                fmt::format("cannot clear the folder {}: {}", folder.string(), error.message()));
  }
}

void write_assets(const fs::path& folder, const std::vector<analyze::ReportFigure>& figures) {
  remove_other_figures(folder, figures);
  for (const analyze::ReportFigure& figure : figures) {
    Output((folder / (figure.id + ".svg")).string()).write(analyze::standalone_svg(figure));
    Output((folder / (figure.id + ".csv")).string()).write(analyze::figure_csv(figure));
  }
}

void say_what_is_in_it(const std::string& path, const analyze::Report& report) {
  constexpr std::size_t kMostNotes = 20;
  const auto& notes = report.figures.notes;
  for (std::size_t i = 0; i < std::min(notes.size(), kMostNotes); ++i)
    fmt::print(stderr, "note: {}\n", notes[i].text);
  if (notes.size() > kMostNotes)
    fmt::print(stderr, "and {} notes more in the page\n", notes.size() - kMostNotes);
  constexpr double kMega = 1e6;
  fmt::print(stderr, "{}: {} figures; {} of {} traces can be opened; {:.1f} MB\n",
             path.empty() ? "stdout" : path, report.figures.figures.size(), report.traces_held, report.traces,
             static_cast<double>(report.html.size()) / kMega);
}

}  // namespace

int run_report(const std::vector<std::string>& arguments) {
  CommandLine line(
      "report store.db [options]",
      "Writes one HTML file that needs no other: figures with their tables, and traces to read with\n"
      "the stops of the rules in them. The same store under the same name gives the same bytes.");
  line.option("output,o", "FILE", "the page; - is stdout", "report.html");
  line.option("assets", "DIR",
              "also write each figure there as .svg and .csv; such files of figures that this report has "
              "not are removed");
  line.repeated("signal", "SPEC", "a signal, as zlib(level=6); all that have curves where not given");
  line.repeated("stream", "NAME",
                "text, prompt+text, ids32, prompt+ids32; all that have curves where not given");
  line.repeated("rule", "SPEC",
                "a rule (`lil list rules`) to mark in figures and traces; lists and ranges multiply",
                analyze::ReportRequest{}.rules);
  line.option("alpha", "SHARE", "bound of the risk harm", "0.02");
  line.option("delta", "SHARE", "chance that the bound does not hold", "0.05");
  line.option("traces", "N", "traces that can be opened, at most; fewer where the page would pass 10 MB",
              "200");
  add_answer_options(line);
  add_probe_options(line);
  line.option("seed", "N", "seed of the bootstrap", "0");
  line.add_where();
  line.add_threads();
  line.add_progress();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
  std::vector<std::string> left_out;
  const analyze::ReportRequest request = request_from(line, left_out);
  Progress progress(line.text("progress"), "report");
  Output output(line.text("output"));
  if (line.given("assets")) make_folder(line.text("assets"));
  const analyze::Report report =
      analyze::build_report(store, request, [&](int done, int total, const std::string& next) {
        progress.update(done, total, next, std::nullopt);
      });
  progress.finish();
  if (line.given("assets")) write_assets(line.text("assets"), report.figures.figures);
  output.write(report.html);
  say_what_is_in_it(line.text("output"), report);
  return report_left_out(left_out);
}

}  // namespace lil::tools
