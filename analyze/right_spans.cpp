#include "analyze/right_spans.h"

#include <algorithm>

#include "analyze/verdict.h"

namespace lil::analyze {

RightSpans::RightSpans(std::span<const schemas::AnswerEvent> events) {
  bool right = false;
  for (const schemas::AnswerEvent& event : events) {
    const bool now = event.verdict == to_string(Verdict::kRight);
    if (now != right) turns_.push_back(event.token);
    right = now;
  }
}

bool RightSpans::at(std::int64_t token) const {
  const auto turned = std::upper_bound(turns_.begin(), turns_.end(), token) - turns_.begin();
  return turned % 2 == 1;
}

std::int64_t RightSpans::count(std::int64_t first, std::int64_t last) const {
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < turns_.size(); i += 2) {
    const std::int64_t begin = std::max(turns_[i], first);
    const std::int64_t end = i + 1 < turns_.size() ? std::min(turns_[i + 1] - 1, last) : last;
    tokens += std::max<std::int64_t>(0, end - begin + 1);
  }
  return tokens;
}

}  // namespace lil::analyze
