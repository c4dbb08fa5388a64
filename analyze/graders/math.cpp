#include <memory>
#include <string_view>

#include "analyze/graders/grader.h"
#include "analyze/graders/math/compare.h"
#include "analyze/graders/math/parser.h"
#include "analyze/latex_spelling.h"

namespace lil::analyze {
namespace {

constexpr int kVersion = 2;

Comparison compare_read(std::string_view answer, std::string_view gold, math::Commas commas,
                        math::Budget& budget) {
  const auto left = math::parse(answer, commas);
  const auto right = left ? math::parse(gold, commas) : std::nullopt;
  if (!left || !right) return Comparison::kUnread;
  const auto equal = math::compare(*left, *right, budget);
  if (budget.spent()) return Comparison::kTimeout;
  if (!equal) return Comparison::kUnread;
  return *equal ? Comparison::kEqual : Comparison::kUnequal;
}

/// What MATH and AIME have for answers, as expressions: see math/compare.h.
class MathGrader final : public Grader {
 public:
  [[nodiscard]] int version() const override { return kVersion; }
  [[nodiscard]] bool serves(schemas::AnswerKind kind) const override {
    return kind == schemas::AnswerKind::kMath || kind == schemas::AnswerKind::kNumber;
  }
  [[nodiscard]] Comparison compare(std::string_view answer, std::string_view gold) const override {
    if (answer.size() > kMaxGradedBytes || gold.size() > kMaxGradedBytes) return Comparison::kUnread;
    const std::string_view left = peel(answer);
    const std::string_view right = peel(gold);
    math::Budget budget(math::kComparisonSteps);
    const Comparison first = compare_read(left, right, math::Commas::kGroupThousands, budget);
    if (first == Comparison::kEqual || first == Comparison::kTimeout) return first;
    const bool commas =
        answer.find(',') != std::string_view::npos && gold.find(',') != std::string_view::npos;
    if (!commas) return first;
    const Comparison second = compare_read(left, right, math::Commas::kSeparate, budget);
    return second == Comparison::kEqual || second == Comparison::kTimeout ? second : first;
  }
};

}  // namespace

std::unique_ptr<Grader> make_math_grader(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<MathGrader>();
}

}  // namespace lil::analyze
