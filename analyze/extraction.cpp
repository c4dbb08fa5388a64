#include "analyze/extraction.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "analyze/answers/registry.h"

namespace lil::analyze {
namespace {

// Rises when an answer that any extractor reads from any text may change.
constexpr std::string_view kVersion = "/1";

struct Candidate {
  std::size_t extractor = 0;
  FoundAnswer found;
};

auto order(const FoundAnswer& found) {
  return std::tuple(found.readable_at, found.at_end);
}

}  // namespace

Extraction Extraction::parse(std::string_view names) {
  Extraction extraction;
  std::size_t begin = 0;
  while (begin <= names.size()) {
    const std::size_t end = std::min(names.find('+', begin), names.size());
    const auto [row, arguments] =
        schemas::resolve_row("extractor", extractor_registry(), names.substr(begin, end - begin));
    extraction.extractors_.push_back(row->make(arguments));
    extraction.name_ += (begin == 0 ? "" : "+") + arguments.to_string();
    begin = end + 1;
  }
  extraction.name_ += kVersion;
  return extraction;
}

std::vector<FoundAnswer> Extraction::find(std::string_view text, bool finished) const {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < extractors_.size(); ++i) {
    for (auto& found : extractors_[i]->find(text, finished)) candidates.push_back({i, std::move(found)});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return order(a.found) < order(b.found); });
  std::vector<FoundAnswer> changes;
  std::size_t holder = extractors_.size();
  for (auto& candidate : candidates) {
    if (candidate.extractor > holder) continue;
    holder = candidate.extractor;
    if (changes.empty() || changes.back().answer != candidate.found.answer)
      changes.push_back(std::move(candidate.found));
  }
  return changes;
}

}  // namespace lil::analyze
