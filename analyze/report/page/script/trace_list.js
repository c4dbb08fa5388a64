/* The list: which traces, in which order, a page at a time. */

const pageRows = 50;

const columns = [
  {key: "problem", title: "Problem", value: (entry) => entry.row.problem, text: true},
  {key: "set", title: "Problem set", value: (entry) => entry.group.set, text: true},
  {key: "model", title: "Model", value: (entry) => entry.group.model, text: true},
  {key: "policy", title: "Policy", value: (entry) => entry.group.policy, text: true},
  {key: "tokens", title: "Tokens", value: (entry) => entry.row.tokens},
  {key: "kept", title: "Kept", value: (entry) => entry.fate.kept},
  {key: "saved", title: "Saved", value: (entry) => entry.fate.saved},
  {key: "full", title: "In full", value: (entry) => entry.fate.full, text: true},
  {key: "at-stop", title: "At the stop", value: (entry) => entry.fate.atStop, text: true},
  {key: "ended", title: "Ended", value: (entry) => endingOf(entry.row), text: true},
];

function endingOf(row) {
  const end = {
    stop: "by itself",
    length: "cut by the cap",
    guardian: "stopped live",
    partial: "not known",
    error: "error"
  }[row.finish];
  return row.loop ? `${end}, loop from ${grouped(row.loop[0])}` : end;
}

const outcomeTests = {
  right: (entry) => entry.fate.full === "right",
  wrong: (entry) => entry.fate.full === "wrong",
  none: (entry) => entry.fate.full !== "right" && entry.fate.full !== "wrong",
  harmed: (entry) => entry.fate.harmed,
  gained: (entry) => entry.fate.gained,
};
const endedTests = {
  itself: (entry) => entry.row.finish === "stop",
  cap: (entry) => entry.row.finish === "length",
  loop: (entry) => entry.row.loop !== null,
};

function selected(state) {
  const search = state.search.toLowerCase();
  const entries = [];
  data.index.traces.forEach((row, trace) => {
    const group = data.index.groups[row.group];
    if (["model", "policy", "set", "run"].some((key) => state[key] && group[key] !== state[key])) return;
    if (search && !row.problem.toLowerCase().includes(search)) return;
    const entry = {trace, row, group, fate: fateOf(trace, state)};
    if (state.outcome && outcomeTests[state.outcome] && !outcomeTests[state.outcome](entry)) return;
    if (state.ended && endedTests[state.ended] && !endedTests[state.ended](entry)) return;
    if (state.stopped && (entry.fate.stop > 0) !== (state.stopped === "yes")) return;
    entries.push(entry);
  });
  return sorted(entries, state.sort);
}

function sorted(entries, sort) {
  const column = columns.find((each) => each.key === sort.replace("-desc:", ""));
  if (!column) return entries;
  const sign = sort.startsWith("-desc:") ? -1 : 1;
  const compare = column.text ? (a, b) => a.localeCompare(b, "en", {numeric: true}) : (a, b) => a - b;
  return entries.sort((a, b) => sign * compare(column.value(a), column.value(b)) || a.trace - b.trace);
}

/* The filters. */

function distinct(key) { return [...new Set(data.index.groups.map((group) => group[key]))]; }

function selectField(name, label, options, value, change) {
  const select = make(
      "select", {name, onchange: () => change(select.value)},
      ...options.map(([key, text]) => make("option", {value: key}, text)));
  select.value = value;
  if (select.selectedIndex < 0) {
    select.append(make("option", {value}, value));
    select.value = value;
  }
  return make("label", {}, label, select);
}

function inputField(name, label, attributes, value, change) {
  const input = make("input", {name, ...attributes, oninput: () => change(input.value)});
  input.value = value;
  return make("label", {}, label, input);
}

function runLabel(run) {
  const group = data.index.groups.find((each) => each.run === run);
  return `${group.policy} · ${group.set} · ${run.slice(0, 8)}`;
}

/** Fills the form; `change` takes what is different in the state. */
function showFilters(form, state, change) {
  const set = (key) => (value) => change({[key]: value});
  const choice = (key, label, texts = (value) => value) => {
    const values = distinct(key);
    if (values.length < 2) return null;
    return selectField(
        key, label, [["", "any"], ...values.map((value) => [value, texts(value)])], state[key], set(key));
  };
  const which = make(
      "fieldset", {}, make("legend", {}, "Traces"), choice("model", "Model"), choice("policy", "Policy"),
      choice("set", "Problem set"), choice("run", "Run", runLabel),
      selectField(
          "outcome", "Outcome",
          [
            ["", "any"], ["right", "right in full"], ["wrong", "wrong in full"],
            ["none", "no answer in full"], ["harmed", "harmed by the stop"],
            ["gained", "right only at the stop"]
          ],
          state.outcome, set("outcome")),
      selectField(
          "stopped", "By the rule", [["", "any"], ["yes", "stopped"], ["no", "not stopped"]], state.stopped,
          set("stopped")),
      selectField(
          "ended", "Ended",
          [["", "any"], ["itself", "by itself"], ["cap", "cut by the cap"], ["loop", "in a loop"]],
          state.ended, set("ended")),
      inputField(
          "search", "Problem id", {type: "search", placeholder: "part of it"}, state.search, set("search")));
  form.replaceChildren(which, ruleFields(state, change));
}

function ruleFields(state, change) {
  const rules = ruleList(state);
  const measures =
      data.index.measures.map((measure, i) => [String(i), `${measure.signal} on ${measure.stream}`]);
  const names = rules.map((rule, i) => [String(i), rule.own ? "guardian of your own" : rule.name]);
  const isOwn = state.rule === rules.length - 1;
  const number = (key, label, attributes) =>
      inputField(key, label, {type: "number", ...attributes}, state[key], (text) => {
        const value = Number(text);
        if (text !== "" && Number.isFinite(value) && (key !== "f" || value >= 1))
          change({[key]: key === "f" ? Math.floor(value) : value});
      });
  const grid = data.index.traces.length && measures.length ? data.curve(0, state.measure)?.grid ?? 1 : 1;
  return make(
      "fieldset", {}, make("legend", {}, "Stopped by"),
      measures.length ? selectField(
                            "measure", "Signal", measures, String(state.measure),
                            (value) => change({measure: Number(value)}))
                      : null,
      selectField("rule", "Rule", names, String(state.rule), (value) => change({rule: Number(value)})),
      isOwn ? number("f", "f, tokens between checks", {min: grid, step: grid}) : null,
      isOwn ? number("t", "t, growth below which it stops", {step: "any"}) : null);
}

/* The table. */

function shownColumns() {
  return columns.filter(({key}) => !["set", "model", "policy"].includes(key) || distinct(key).length > 1);
}

function cellOf(column, entry, state) {
  const {row, fate} = entry;
  switch (column.key) {
    case "problem": {
      const repeat = row.repeat > 0 ? ` (${row.repeat + 1})` : "";
      return make(
          "a", {href: addressOf({...state, trace: entry.trace})}, make("bdi", {}, row.problem || "(no id)"),
          repeat);
    }
    case "tokens":
      return grouped(row.tokens);
    case "kept":
      return fate.stop === null ? "?" : grouped(fate.kept);
    case "saved":
      return fate.stop > 0 ? percent(fate.saved) : "";
    case "full":
      return verdictMark(row, fate.full);
    case "at-stop":
      return fate.stop > 0 ? make(
                                 "span", {}, verdictMark(row, fate.atStop),
                                 fate.harmed ? make("strong", {class: "harm"}, "harmed") : null)
                           : "";
    default:
      return make("bdi", {}, column.value(entry));
  }
}

function headerOf(column, state, change) {
  const rising = state.sort === column.key;
  const falling = state.sort === `-desc:${column.key}`;
  const next = rising ? `-desc:${column.key}` : falling ? "" : column.key;
  return make(
      "th", {
        scope: "col",
        class: column.text ? null : "n",
        "aria-sort": rising ? "ascending"
            : falling       ? "descending"
                            : null
      },
      make(
          "button", {type: "button", onclick: () => change({sort: next})}, column.title,
          rising        ? " ↑"
              : falling ? " ↓"
                        : ""));
}

function showList(entries, state, change) {
  const shown = shownColumns();
  const pages = Math.max(1, Math.ceil(entries.length / pageRows));
  const page = Math.min(state.page, pages - 1);
  const rows = entries.slice(page * pageRows, (page + 1) * pageRows)
                   .map(
                       (entry) => make(
                           "tr", {
                             class: entry.fate.harmed ? "harmed" : null,
                             "aria-current": entry.trace === state.trace ? "true" : null
                           },
                           ...shown.map(
                               (column) => make(
                                   "td", {class: column.text ? null : "n"}, cellOf(column, entry, state)))));
  document.getElementById("trace-list")
      .replaceChildren(
          make("thead", {}, make("tr", {}, ...shown.map((column) => headerOf(column, state, change)))),
          make("tbody", {}, ...rows));
  showFound(entries);
  const turn = (to, label) => make(
      "button", {type: "button", disabled: to < 0 || to >= pages, onclick: () => change({page: to})}, label);
  document.getElementById("pages").replaceChildren(...(
      pages > 1 ? [turn(page - 1, "Previous"), ` ${page + 1} of ${pages} `, turn(page + 1, "Next")] : []));
}

/** Shares are told of all traces alone: those of a choice would be taken for a result. */
function showFound(entries) {
  const {total, traces} = data.index;
  const stopped = entries.filter(({fate}) => fate.stop > 0).length;
  const unknown = entries.filter(({fate}) => fate.stop === null).length;
  const tokens = entries.reduce((sum, {row}) => sum + row.tokens, 0);
  const kept = entries.reduce((sum, {fate}) => sum + fate.kept, 0);
  const harmed = entries.filter(({fate}) => fate.harmed).length;
  const isChoice = traces.length < total;
  const saved = isChoice ? "" : ` ${percent(tokens ? 1 - kept / tokens : 0)} of their tokens saved,`;
  const counts = entries.length ? `; ${grouped(stopped)} stopped,${saved} ${grouped(harmed)} harmed` : "";
  const blind = unknown ? `; ${grouped(unknown)} have no curve that this rule can read` : "";
  const choice = ` These ${grouped(traces.length)} of ${grouped(total)} were chosen, harmed and stopped ` +
      "ones first: their counts are no result.";
  document.getElementById("found").textContent =
      `${grouped(entries.length)} of ${grouped(traces.length)} traces here${counts}${blind}.` +
      (isChoice ? choice : "");
}
