/* One trace: what is known of it, its rules with a switch each, curve and text. */

const hiddenRules = new Set();  // by name; what is switched off stays so from trace to trace

class TraceView {
  constructor(trace, state, change) {
    this.trace = trace;
    this.state = state;
    this.change = change;
    this.row = data.index.traces[trace];
    this.group = data.index.groups[this.row.group];
    this.content = data.text(trace);
    this.pane = new TextPane(this.content, {
      hovered: (token) => this.moveTo(token, false),
      seen: (first, last) => this.chart.setSight(first, last),
    });
    this.pane.element.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step || event.altKey) return;
      event.preventDefault();
      this.moveTo(Math.max(1, Math.min(this.chart.token + step, this.row.tokens)), true);
    });
    this.chart = new Chart(this, (token) => this.moveTo(token, true));
    this.rulesTable = make("table", {class: "rules"});
    this.now = make("p", {class: "now"});
    this.update(state);
  }

  /** Other rules or another signal. */
  update(state) {
    this.state = state;
    this.measure = data.index.measures[state.measure] ?? {signal: "", stream: ""};
    this.curve = data.index.measures.length ? data.curve(this.trace, state.measure) : null;
    this.rules =
        ruleList(state)
            .map((rule, index) => ({...rule, index, stop: stopOf(this.trace, state.measure, index, state)}))
            .filter((rule) => !rule.own || state.rule === rule.index);
    this.checks = this.checksOf(this.rules.find((rule) => rule.index === state.rule));
    this.rulesTable.replaceChildren(...this.ruleRows());
    this.decorate();
  }

  /** The guardian that is chosen; where another rule is, growth over steps of its usual f, without a t. */
  checksOf(rule) {
    if (rule?.guardian) return rule.guardian;
    const grid = this.curve?.grid ?? 1;
    return {f: Math.ceil(ownDefaults.f / grid) * grid, t: null, phase: 0};
  }

  shownStops() { return this.rules.filter(({name, stop}) => stop > 0 && !hiddenRules.has(name)); }

  decorate() {
    const chosen = this.rules.find((rule) => rule.index === this.state.rule);
    const stops = this.shownStops().map(
        ({stop, name, index}) => ({token: stop, kind: `mark stop s${index % 9 + 1}`, label: `▼ ${name}`}));
    const answers =
        this.content.answers.slice(1).map(([token, answer, verdict]) => ({
                                            token,
                                            kind: `mark answer ${this.row.gold ? verdict : "none"}`,
                                            label: answerLabel(answer, this.row.gold ? verdict : "none")
                                          }));
    const loop = this.row.loop ? [{
      token: this.row.loop[0],
      kind: "mark loop",
      label: `↻ loop of ${grouped(this.row.loop[1])} tokens`
    }]
                               : [];
    this.pane.decorate(chosen && chosen.stop > 0 ? chosen.stop : null, [...answers, ...loop, ...stops]);
    this.chart.draw();
  }

  moveTo(token, scroll) {
    this.chart.setToken(token);
    this.pane.show(token, scroll);
    this.now.textContent = this.readout(token);
  }

  readout(token) {
    const parts = [`token ${grouped(token)} of ${grouped(this.row.tokens)}`];
    if (this.curve) {
      const at = Math.floor(token / this.curve.grid);
      parts.push(
          `${this.measure.signal} ${grouped(this.curve.values[at])} at ${grouped(at * this.curve.grid)}`);
    }
    const answers = this.content.answers;
    const [, answer, verdict] =
        answers[Math.max(0, firstAbove(answers, token, (each) => each[0]) - 1)] ?? [0, "", "none"];
    parts.push(
        answer ? `answer ${answer.slice(0, 40)} (${this.row.gold ? verdict : "no gold answer"})`
               : "no answer yet");
    const copy = this.pane.copyAt(this.pane.endOf(token - 1));
    if (copy) parts.push(`repeats what stood ${grouped(copy.distance)} characters before`);
    return parts.join(" · ");
  }

  ruleRows() {
    const head = make(
        "thead", {},
        make(
            "tr", {},
            ...["Show", "Grey after", "Rule", "Stops at", "Saved", "Answer there"].map(
                (title, i) => make("th", {scope: "col", class: i === 3 || i === 4 ? "n" : null}, title))));
    const rows = this.rules.map((rule) => {
      const shown = make("input", {
        type: "checkbox",
        role: "switch",
        "aria-label": `show the stop of ${rule.name}`,
        disabled: !(rule.stop > 0),
        onchange: () => {
          hiddenRules[shown.checked ? "delete" : "add"](rule.name);
          this.decorate();
        }
      });
      shown.checked = rule.stop > 0 && !hiddenRules.has(rule.name);
      const chosen = make("input", {
        type: "radio",
        name: "grey",
        "aria-label": `grey what comes after the stop of ${rule.name}`,
        onchange: () => this.change({rule: rule.index})
      });
      chosen.checked = rule.index === this.state.rule;
      const stops = rule.stop > 0;
      return make(
          "tr", {}, make("td", {}, shown), make("td", {}, chosen),
          make(
              "th", {scope: "row"}, make("span", {class: `swatch s${rule.index % 9 + 1}`}),
              ...breakable(rule.name)),
          make(
              "td", {class: "n"},
              stops                    ? this.jumpButton(grouped(rule.stop), rule.stop)
                  : rule.stop === null ? "no curve"
                                       : "–"),
          make("td", {class: "n"}, stops ? percent(1 - rule.stop / this.row.tokens) : ""),
          make("td", {}, stops ? verdictMark(this.row, verdictAt(this.row, rule.stop)) : ""));
    });
    return [head, make("tbody", {}, ...rows)];
  }

  jumpButton(label, token) {
    return make(
        "button", {
          type: "button",
          onclick: () => {
            this.moveTo(Math.max(1, token), true);
            this.pane.element.focus({preventScroll: true});
          }
        },
        label);
  }

  jumps() {
    const answers = this.content.answers.slice(1);
    const next = (step) => {
      const tokens = answers.map((each) => each[0]);
      const at = step > 0 ? tokens.find((token) => token > this.chart.token)
                          : tokens.filter((token) => token < this.chart.token).at(-1);
      if (at !== undefined) this.moveTo(Math.max(1, at), true);
    };
    const step = (label, name, by) => make(
        "button",
        {type: "button", "aria-label": name, disabled: answers.length === 0, onclick: () => next(by)}, label);
    return make(
        "p", {class: "jumps"}, this.jumpButton("Start", 1), step("‹ Answer", "the answer before", -1),
        step("Answer ›", "the next answer", 1),
        this.row.loop ? this.jumpButton("Loop", this.row.loop[0] + 1) : null,
        this.jumpButton("End", this.row.tokens));
  }

  answersTable() {
    const most = 300;
    const answers = this.content.answers.slice(1);
    const rows = answers.slice(0, most).map(
        ([token, answer, verdict]) => make(
            "tr", {}, make("td", {class: "n"}, this.jumpButton(grouped(token), token)),
            make("td", {}, make("bdi", {}, answer || "no answer any more")),
            make("td", {}, verdictMark(this.row, verdict))));
    const more = answers.length > most ? `, the first ${most} of them here` : "";
    return make(
        "details", {},
        make(
            "summary", {},
            `${grouped(answers.length)} change${answers.length === 1 ? "" : "s"} of the answer${more}`),
        make(
            "div", {class: "scroll answers", tabindex: 0, role: "region", "aria-label": "Answers"},
            make(
                "table", {},
                make(
                    "thead", {},
                    make(
                        "tr", {},
                        ...["From token", "Answer", "Verdict"].map(
                            (title, i) => make("th", {scope: "col", class: i ? null : "n"}, title)))),
                make("tbody", {}, ...rows))));
  }

  facts() {
    const full = verdictAt(this.row, this.row.tokens);
    const pairs = [
      ["Model", this.group.model],
      ["Policy", make("abbr", {title: this.group.policyInFull}, this.group.policy)],
      ["Problem set", this.group.set], ["Tokens", grouped(this.row.tokens)], ["Ended", endingOf(this.row)],
      ["Gold answer", this.content.gold || "none"], ["In full", verdictMark(this.row, full)],
      ["Trace", make("code", {}, this.row.uid)]
    ];
    return make(
        "dl", {},
        ...pairs.map(
            ([name, value]) =>
                make("div", {}, make("dt", {}, name), make("dd", {}, make("bdi", {}, value)))));
  }

  legend() {
    const words = ["≤ 256", "≤ 1,024", "≤ 4,096", "≤ 16,384", "farther"];
    return make(
        "p", {class: "legend"}, "Shaded: repeats of 16 bytes or more that stand so many characters before: ",
        ...words.map((word, i) => make("span", {class: `copy c${i + 1}`}, word)), " ",
        make("span", {class: "after"}, "after the stop"));
  }

  /** `others` are links: back to the list, the trace before, the next. */
  fill(article, others) {
    article.replaceChildren(
        make(
            "header", {},
            make(
                "h3", {id: "trace-title", tabindex: -1}, "Problem ",
                make("bdi", {}, this.row.problem || "without an id")),
            make("p", {class: "others"}, ...others)),
        this.facts(),
        this.content.problem ? make(
                                   "details", {}, make("summary", {}, "The problem"),
                                   make("p", {class: "problem", dir: "auto"}, this.content.problem))
                             : "",
        make(
            "div", {class: "reading"},
            make(
                "div", {class: "side"}, make("div", {class: "scroll"}, this.rulesTable), this.chart.element,
                this.now, this.jumps(), this.answersTable()),
            make("div", {class: "main"}, this.pane.element, this.legend())));
    this.moveTo(1, false);
    requestAnimationFrame(() => this.chart.setSight(...this.pane.tokensInSight()));
  }
}

/** The text with places where a line may break: behind commas and brackets. */
function breakable(text) {
  return text.split(/(?<=[,(])/).flatMap((part, i) => i ? [make("wbr"), part] : [part]);
}

function answerLabel(answer, verdict) {
  const short = answer.length > 30 ? `${answer.slice(0, 29)}…` : answer;
  return answer ? `${short} ${{right: "✓", wrong: "✗"}[verdict] ?? ""}`.trim() : "no answer";
}
