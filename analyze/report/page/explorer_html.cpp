#include "analyze/report/page/explorer_html.h"

#include <fmt/format.h>

#include "analyze/report/figure/numbers.h"

namespace lil::analyze::page {
namespace {

using figure::grouped;

std::string json_element(const std::string& id, const std::string& json) {
  return fmt::format("<script type=\"application/json\" id=\"{}\">{}</script>\n", id, json);
}

/// What the script fills; hidden until it does.
constexpr const char* kExplorer =
    R"(<noscript><p class="notes">Scripts are off here: the list and the texts need them.
Everything above does not.</p></noscript>
<div id="explorer" hidden>
<form id="filters" aria-label="Which traces"></form>
<p id="found" role="status"></p>
<div class="scroll" tabindex="0" role="region" aria-label="List of traces"><table id="trace-list"></table></div>
<p id="pages"></p>
<article id="trace" aria-labelledby="trace-title" hidden></article>
</div>
)";

}  // namespace

Section explorer_section(const ExplorerData& data) {
  const auto held = static_cast<std::int64_t>(data.texts.size());
  const std::string how_many =
      held == data.traces
          ? fmt::format("All {} trace{}", grouped(held), held == 1 ? "" : "s")
          : fmt::format(
                "{} of {} traces: some of every run and problem set, those that the first rule harms or "
                "stops before others (more of them by --traces, others by --where)",
                grouped(held), grouped(data.traces));
  return {"traces", "The traces",
          fmt::format(
              "<p class=\"lead\">{}. Open one to read what was written before and after each stop.</p>\n{}",
              how_many, kExplorer)};
}

std::string data_elements(const ExplorerData& data) {
  std::string html = json_element("data-index", data.index);
  std::string curves = "[";
  for (const std::string& of_trace : data.curves) curves += (curves.size() == 1 ? "" : ",") + of_trace;
  html += json_element("data-curves", curves + "]");
  for (std::size_t i = 0; i < data.texts.size(); ++i)
    html += json_element(fmt::format("data-trace-{}", i), data.texts[i]);
  return html;
}

}  // namespace lil::analyze::page
