#pragma once

#include <optional>
#include <string_view>

#include "analyze/graders/math/expression.h"
#include "analyze/graders/math/token.h"

namespace lil::analyze::math {

/// Reads an answer, LaTeX or plain: values, lists, sets, tuples and intervals, matrices, ratios, equations
/// and inequalities. Units in words are dropped, `5 million` is 5000000, `1\frac12` is 3/2, `\sin 2x` takes
/// both factors, `1/2x` is x/2, an unbraced exponent takes all its digits (`2^10`), `\frac12` takes one.
/// Nothing where it is no mathematics, is nested deeper than kMaxDepth, or names what this tree cannot hold.
/// Linear in `text`.
[[nodiscard]] std::optional<Expression> parse(std::string_view text, Commas commas);

}  // namespace lil::analyze::math
