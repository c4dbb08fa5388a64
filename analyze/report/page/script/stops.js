/* Where rules stop, and what the answer is there. */

/**
 * The token of the stop, -1 where it does not stop, null where the curve does not hold what the rule looks
 * at: as the watcher in replay/stop_rules/guardian.cpp and StopRule::stop() around it.
 */
function guardianStop(rule, curve, tokens) {
  if (!curve || !(rule.f >= 1) || rule.f % curve.grid !== 0 || rule.phase % curve.grid !== 0) return null;
  let last = 0;
  let low = 0;
  for (let token = rule.phase; token < tokens; token += rule.f) {
    const value = curve.values[token / curve.grid];
    const growth = value - last;
    const isStart = token === rule.phase;
    last = isStart && rule.zero ? 0 : value;
    if (isStart || token < rule.warmup) continue;
    low = growth < rule.t ? low + 1 : 0;
    if (low >= rule.patience) return token;
  }
  return -1;
}

function ownGuardian(f, t) { return {f, t, patience: 1, warmup: 0, phase: 0, zero: false}; }

/** The rules of the report, and last the one whose f and t are typed in. */
function ruleList(state) {
  const own = {
    name: `guardian(f=${state.f},t=${state.t})`,
    guardian: ownGuardian(state.f, state.t),
    own: true
  };
  return [...data.index.rules, own];
}

function stopOf(trace, measure, ruleIndex, state) {
  const row = data.index.traces[trace];
  if (ruleIndex < data.index.rules.length) return row.stops[measure]?.[ruleIndex] ?? null;
  return guardianStop(ownGuardian(state.f, state.t), data.curve(trace, measure), row.tokens);
}

function verdictAt(row, token) {
  const verdicts = row.verdicts;
  return verdicts[firstAbove(verdicts, token, (entry) => entry[0]) - 1][1];
}

/** What a rule does to a trace. */
function fateOf(trace, state) {
  const row = data.index.traces[trace];
  const stop = stopOf(trace, state.measure, state.rule, state);
  const kept = stop > 0 ? stop : row.tokens;
  const full = verdictAt(row, row.tokens);
  const atStop = verdictAt(row, kept);
  return {
    stop,
    kept,
    full,
    atStop,
    saved: row.tokens ? 1 - kept / row.tokens : 0,
    harmed: full === "right" && atStop !== "right",
    gained: full !== "right" && atStop === "right",
  };
}

const verdictWords = {
  right: "✓ right",
  wrong: "✗ wrong",
  none: "– none",
  timeout: "? timeout"
};

function verdictMark(row, verdict) {
  if (!row.gold) return make("span", {class: "verdict none"}, "no gold answer");
  return make("span", {class: `verdict ${verdict}`}, verdictWords[verdict] ?? verdict);
}
