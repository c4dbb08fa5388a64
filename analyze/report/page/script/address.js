/* What is looked at stands in the address, `#traces?key=value&…`, so that links lead to it and Back works. */

const plainKeys = ["model", "policy", "set", "run", "outcome", "stopped", "ended", "search", "sort"];
const ownDefaults = {
  f: 250,
  t: 20
};

function defaultState() {
  const first = data.index.rules.find((rule) => rule.guardian)?.guardian ?? ownDefaults;
  const state = {measure: 0, rule: 0, f: first.f, t: first.t, page: 0, trace: -1};
  for (const key of plainKeys) state[key] = "";
  return state;
}

function stateFromAddress(hash) {
  const state = defaultState();
  const parameters = new URLSearchParams(hash.slice("#traces?".length));
  for (const key of plainKeys) state[key] = parameters.get(key) ?? "";
  readMeasure(parameters, state);
  readRule(parameters, state);
  state.page = Math.max(0, Math.floor(Number(parameters.get("page") ?? 1)) - 1) || 0;
  state.trace = data.index.traces.findIndex((row) => row.uid === parameters.get("trace"));
  return state;
}

/** A signal or a stream alone is enough; one that the page has not is taken for the first. */
function readMeasure(parameters, state) {
  const signal = parameters.get("signal");
  const stream = parameters.get("stream");
  const found = data.index.measures.findIndex(
      (measure) => (!signal || measure.signal === signal) && (!stream || measure.stream === stream));
  state.measure = Math.max(0, found);
}

/** A rule by its name; a guardian by f and t is one of the report's where there is one. */
function readRule(parameters, state) {
  const rules = data.index.rules;
  const named = rules.findIndex((rule) => rule.name === parameters.get("rule"));
  if (named >= 0) state.rule = named;
  if (!parameters.has("f") && !parameters.has("t")) return;
  state.f = Math.max(1, Math.floor(Number(parameters.get("f") ?? state.f)) || 1);
  state.t = Number(parameters.get("t") ?? state.t) || 0;
  const same = rules.findIndex(
      ({guardian: g}) => g && g.f === state.f && g.t === state.t && g.patience === 1 && g.warmup === 0 &&
          g.phase === 0 && !g.zero);
  state.rule = same >= 0 ? same : rules.length;
}

function addressOf(state) {
  const parameters = new URLSearchParams();
  const measure = data.index.measures[state.measure];
  for (const key of plainKeys)
    if (state[key]) parameters.set(key, state[key]);
  if (state.measure > 0) {
    parameters.set("signal", measure.signal);
    parameters.set("stream", measure.stream);
  }
  if (state.rule >= data.index.rules.length) {
    parameters.set("f", state.f);
    parameters.set("t", state.t);
  } else if (state.rule > 0) {
    parameters.set("rule", data.index.rules[state.rule].name);
  }
  if (state.page > 0) parameters.set("page", state.page + 1);
  if (state.trace >= 0) parameters.set("trace", data.index.traces[state.trace].uid);
  return `#traces?${parameters}`;
}
