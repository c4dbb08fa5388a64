#include "analyze/report/page/trace_text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "analyze/report/page/packed_numbers.h"
#include "analyze/report/page/page_text.h"
#include "replay/copies.h"
#include "replay/stream.h"

namespace lil::analyze::page {
namespace {

using Json = nlohmann::ordered_json;

/// Shorter ones are the common words of a language.
constexpr std::int64_t kLeastCopyBytes = 16;

/// Columns of a strip: as many as it has pixels on most screens.
constexpr std::int64_t kStripColumns = 480;
constexpr float kStripStep = 0.05F;  // nats
constexpr float kMostStripSteps = 255;

std::string safe(const std::string& text) {
  return PageText(text).utf8();
}

/// Where each token ends, in units.
std::string packed_ends(const replay::Stream& stream, const PageText& text) {
  std::vector<std::int64_t> ends;
  ends.reserve(stream.ends.size());
  for (const std::int64_t end : stream.ends) ends.push_back(text.unit_at(end));
  return packed_runs(ends);
}

/// Three numbers a copy, in units: from the end of the last one to its start, its length, and how far back.
std::string packed_copies(const replay::Stream& stream, const PageText& text) {
  PackedNumbers packed;
  std::int64_t last = 0;
  for (const replay::Copy& copy : replay::find_copies(stream.bytes, kLeastCopyBytes)) {
    const std::int64_t start = text.unit_at(copy.start);
    const std::int64_t end = text.unit_at(copy.start + copy.bytes);
    packed.add(static_cast<std::uint64_t>(start - last));
    packed.add(static_cast<std::uint64_t>(end - start));
    packed.add(static_cast<std::uint64_t>(start - text.unit_at(copy.start - copy.distance)));
    last = end;
  }
  return packed.base64();
}

/// The least and the greatest of each column, a byte each, in steps; `sign` makes the numbers positive ones.
std::string packed_strip(const std::vector<float>& numbers, float sign) {
  const auto tokens = static_cast<std::int64_t>(numbers.size());
  const std::int64_t columns = std::min(tokens, kStripColumns);
  std::string bytes;
  const auto step_of = [sign](float number) {
    const float steps = std::round(sign * number / kStripStep);
    return static_cast<char>(static_cast<std::uint8_t>(
        std::isnan(steps) ? kMostStripSteps : std::clamp(steps, 0.0F, kMostStripSteps)));
  };
  for (std::int64_t column = 0; column < columns; ++column) {
    const auto first = numbers.begin() + column * tokens / columns;
    const auto last = numbers.begin() + (column + 1) * tokens / columns;
    const auto [low, high] = std::minmax_element(first, last);
    bytes += step_of(sign > 0 ? *low : *high);
    bytes += step_of(sign > 0 ? *high : *low);
  }
  return base64(bytes);
}

}  // namespace

std::string trace_text_json(const TraceContent& content, const schemas::Vocabulary& vocabulary) {
  const replay::Stream stream = replay::build_stream(replay::StreamKind::kText, content.tokens, vocabulary);
  const PageText text(stream.bytes);
  Json json;
  json["text"] = text.utf8();
  json["ends"] = packed_ends(stream, text);
  json["copies"] = packed_copies(stream, text);
  json["problem"] = safe(content.problem);
  json["gold"] = safe(content.gold);
  json["answers"] = Json::array();
  for (const schemas::AnswerEvent& event : content.events)
    json["answers"].push_back({event.token, safe(event.answer), event.verdict});
  if (!content.tokens.logprob.empty()) json["surprise"] = packed_strip(content.tokens.logprob, -1);
  if (!content.tokens.entropy.empty()) json["entropy"] = packed_strip(content.tokens.entropy, 1);
  return json_in_html(json.dump());
}

}  // namespace lil::analyze::page
