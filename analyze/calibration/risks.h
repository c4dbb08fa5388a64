#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "analyze/right_spans.h"

namespace lil::analyze {

/// What a stop costs one trace, as a loss. A problem's loss is the mean over its repeats, and its risk at a
/// setting the expected loss of a problem.
struct Risk {
  std::string name;
  std::string description;
  bool is_signed = false;  ///< losses in [-1, 1] instead of [0, 1]
  bool is_binary = false;  ///< losses of a trace are whole numbers
  /// The loss is 0 where nothing stops, so that chains go from there on; else they come from where everything
  /// stops at the first check, and the certified setting that is right most often is taken.
  bool none_without_stop = true;
  /// `right`: of the trace of `tokens`, of which `kept` are kept; kept == tokens: not stopped.
  double (*loss)(const RightSpans& right, std::int64_t tokens, std::int64_t kept) = nullptr;
};

/// With A "the full trace is right" and B "the prefix at the stop is":
/// - `harm` = [A and not B].
/// - `drop` = A - B in {-1, 0, 1}: the loss of accuracy. harm <= alpha implies drop <= alpha.
/// - `suffix-mean`: of the tokens from the stop to the end, the share at which the readable answer is right;
/// 0
///   where the trace is not stopped. As reasoning_risk_control has it (`lower_threshold_correctness_risk_v2`)
///   with each token a step. [Wang et al. 2026, "Conformal Thinking", arXiv 2602.03814]
/// - `wasted`: the share of the full trace's tokens that were generated, up to the stop, while no right
/// answer
///   was readable (its `efficiency_loss_v1`). Stopping lowers it.
[[nodiscard]] std::span<const Risk> risks();

/// Throws Error(kUsage) that lists the known names.
[[nodiscard]] const Risk& find_risk(const std::string& name);

/// The loss and the bound as the p-values take them: in [0, 1]. (loss + 1) / 2 against (alpha + 1) / 2 where
/// the risk is signed.
[[nodiscard]] double unit_loss(const Risk& risk, double loss);
[[nodiscard]] double unit_alpha(const Risk& risk, double alpha);

}  // namespace lil::analyze
