#include "analyze/graders/registry.h"

#include <vector>

namespace lil::analyze {

std::unique_ptr<Grader> make_choice_grader(const schemas::Arguments& arguments);
std::unique_ptr<Grader> make_math_grader(const schemas::Arguments& arguments);
std::unique_ptr<Grader> make_number_grader(const schemas::Arguments& arguments);
std::unique_ptr<Grader> make_text_grader(const schemas::Arguments& arguments);

std::span<const schemas::RegistryRow<GraderFactory>> grader_registry() {
  static const std::vector<schemas::RegistryRow<GraderFactory>> rows = {
      {"number", make_number_grader, "exact rationals: units, percent, fractions, powers, separators", {}},
      {"math",
       make_math_grader,
       "expressions, intervals, sets, tuples, matrices, equations in any equal form",
       {}},
      {"choice", make_choice_grader, "letters of multiple choice, however they are written", {}},
      {"text", make_text_grader, "equal strings once spaces and LaTeX spellings are evened out", {}},
  };
  return rows;
}

}  // namespace lil::analyze
