/* The curve of a trace over its tokens, with everything that happens at one. */

const chartLeft = 58;
const chartRight = 18;

/** Round steps for about `count` ticks up to `most`. */
function tickStep(most, count) {
  const rough = Math.max(1, most / count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((step) => step >= rough);
}

class Chart {
  /** `moved` is told of the token under the pointer, or chosen by keys. */
  constructor(view, moved) {
    this.view = view;
    this.token = 0;
    this.element = make("div", {
      class: "chart",
      tabindex: 0,
      role: "slider",
      "aria-label": "Token",
      "aria-valuemin": 0,
      "aria-valuemax": view.row.tokens
    });
    const follow = (event) => {
      const box = this.element.getBoundingClientRect();
      moved(this.tokenAt(event.clientX - box.left));
    };
    this.element.addEventListener("pointermove", follow);
    this.element.addEventListener("pointerdown", follow);
    this.element.addEventListener("keydown", (event) => {
      const to = this.keyTarget(event);
      if (to === null) return;
      event.preventDefault();
      moved(Math.max(1, Math.min(to, view.row.tokens)));
    });
    new ResizeObserver(() => requestAnimationFrame(() => {
                         if (Math.round(this.element.clientWidth) !== this.width) this.draw();
                       }))
        .observe(this.element);
  }

  keyTarget({key, shiftKey, altKey, ctrlKey, metaKey}) {
    if (altKey || ctrlKey || metaKey) return null;
    const step = shiftKey ? 1 : this.view.curve?.grid ?? 10;
    const steps = {
      ArrowRight: step,
      ArrowUp: step,
      ArrowLeft: -step,
      ArrowDown: -step,
      PageDown: 10 * step,
      PageUp: -10 * step
    };
    if (key === "Home") return 1;
    if (key === "End") return this.view.row.tokens;
    return key in steps ? this.token + steps[key] : null;
  }

  x(token) {
    return chartLeft + (token / Math.max(1, this.view.row.tokens)) * (this.width - chartLeft - chartRight);
  }

  tokenAt(x) {
    const share = (x - chartLeft) / (this.width - chartLeft - chartRight);
    return Math.max(1, Math.min(this.view.row.tokens, Math.round(share * this.view.row.tokens)));
  }

  draw() {
    const width = Math.round(this.element.clientWidth);
    if (width === 0) return;
    this.width = width;
    this.parts = [];
    this.height = 6;
    this.drawValues();
    this.drawGrowth();
    this.drawStrip("surprise", "−log p");
    this.drawStrip("entropy", "entropy");
    this.drawAnswers();
    this.drawLoop();
    const axis = this.height;
    this.height += 20;
    const svg = make(
        "svg", {width, height: this.height, viewBox: `0 0 ${width} ${this.height}`, "aria-hidden": "true"});
    this.sight = make("rect", {class: "sight", y: 0, height: axis});
    this.cursor = make("line", {class: "now", y1: 0, y2: axis});
    svg.append(...this.parts, this.sight, ...this.axisParts(axis), ...this.stopParts(axis), this.cursor);
    this.element.replaceChildren(svg);
    this.setToken(this.token);
    this.setSight(...(this.seen ?? [0, 0]));
  }

  label(y, ...lines) {
    lines.forEach(
        (line, i) =>
            this.parts.push(make("text", {class: "label", x: chartLeft - 6, y: y + 9 + 12 * i}, line)));
  }

  panel(height, most, least = 0) {
    const top = this.height;
    this.height += height + 8;
    this.parts.push(make(
        "rect", {class: "panel", x: chartLeft, y: top, width: this.width - chartLeft - chartRight, height}));
    const spread = most - least || 1;
    return {top, height, y: (value) => top + height - ((value - least) / spread) * (height - 3)};
  }

  drawValues() {
    const curve = this.view.curve;
    if (!curve) return;
    const [least, most] = extent(curve.values);
    const panel = this.panel(120, Math.max(1, most), least);
    this.label(panel.top, grouped(most), this.view.measure.signal.split("(")[0]);
    const path = curve.values.map(
        (value, i) => `${i ? "L" : "M"}${this.x(i * curve.grid).toFixed(1)} ${panel.y(value).toFixed(1)}`);
    this.parts.push(make("path", {class: "curve", d: path.join("")}));
  }

  /** What the checks compare with t, as [token, growth since the check before]. */
  growth() {
    const {f, phase, zero} = this.view.checks;
    const {grid, values} = this.view.curve;
    const growth = [];
    for (let token = phase + f; token <= this.view.row.tokens; token += f) {
      const before = zero && token === phase + f ? 0 : values[(token - f) / grid];
      growth.push([token, values[token / grid] - before]);
    }
    return growth;
  }

  drawGrowth() {
    const {f, t, phase, warmup} = this.view.checks;
    if (!this.view.curve || f % this.view.curve.grid !== 0 || phase % this.view.curve.grid !== 0) return;
    const growth = this.growth();
    if (growth.length === 0) return;
    const [least, most] = extent(growth.map((each) => each[1]));
    const panel = this.panel(72, Math.max(1, most, t ?? 0), least);
    this.label(panel.top, grouped(most), `per ${grouped(f)}`);
    const low = `grown low s${this.view.state.rule % 9 + 1}`;
    const paths = {grown: "", [low]: ""};
    const zero = panel.y(0).toFixed(1);
    for (const [token, value] of growth) {
      const [left, right] = [this.x(token - f), this.x(token)];
      const gap = right - left > 3 ? 1 : 0;
      const name = t !== null && value < t && token >= (warmup ?? 0) ? low : "grown";
      const y = panel.y(value) - (value >= 0 ? 0.6 : 0);  // so that 0 is seen, too
      paths[name] += `M${left.toFixed(1)} ${zero}V${y.toFixed(1)}H${(right - gap).toFixed(1)}V${zero}Z`;
    }
    for (const [name, d] of Object.entries(paths)) this.parts.push(make("path", {class: name, d}));
    if (t !== null) this.drawThreshold(panel, t);
  }

  drawThreshold(panel, t) {
    const y = panel.y(t);
    const series = `s${this.view.state.rule % 9 + 1}`;
    this.parts.push(
        make("line", {class: `threshold ${series}`, x1: chartLeft, x2: this.width - chartRight, y1: y, y2: y}));
    if (y > panel.top + 30)
      this.parts.push(make("text", {class: "label", x: chartLeft - 6, y: y + 4}, `t = ${t}`));
  }

  /** The greatest of each column, and in front of it the least, in twentieths of a nat. */
  drawStrip(key, title) {
    const bytes = this.view.content[key];
    if (!bytes || bytes.length === 0) return;
    const columns = bytes.length / 2;
    const most = Math.max(1, ...bytes);
    const panel = this.panel(30, most);
    this.label(panel.top, title, `${(most / 20).toFixed(1)} nat`);
    const at = (i) => this.x((i / columns) * this.view.row.tokens).toFixed(1);
    for (const [name, of] of [["strip", 1], ["strip least", 0]]) {
      let path = `M${at(0)} ${panel.y(0)}`;
      for (let i = 0; i < columns; ++i)
        path += `L${at(i)} ${panel.y(bytes[2 * i + of]).toFixed(1)}H${at(i + 1)}`;
      this.parts.push(make("path", {class: name, d: `${path}V${panel.y(0)}Z`}));
    }
  }

  lane(title) {
    const top = this.height;
    this.height += 15;
    this.label(top, title);
    return top;
  }

  drawAnswers() {
    const answers = this.view.content.answers;
    const top = this.lane("answer");
    answers.forEach(([token, , verdict], i) => {
      const end = i + 1 < answers.length ? answers[i + 1][0] : this.view.row.tokens;
      const [left, right] = [this.x(token), this.x(end)];
      this.parts.push(make("rect", {
        class: `verdict ${this.view.row.gold ? verdict : "none"}`,
        x: left,
        y: top,
        width: Math.max(1, right - left),
        height: 10
      }));
      if (i > 0)
        this.parts.push(make("line", {class: "event", x1: left, x2: left, y1: top - 1, y2: top + 11}));
    });
  }

  drawLoop() {
    const loop = this.view.row.loop;
    if (!loop) return;
    const top = this.lane("loop");
    const left = this.x(loop[0]);
    this.parts.push(make("rect", {
      class: "loop",
      x: left,
      y: top,
      width: Math.max(1, this.x(this.view.row.tokens) - left),
      height: 10
    }));
  }

  axisParts(y) {
    const most = this.view.row.tokens;
    const step = tickStep(most, this.width / 110);
    const parts = [];
    for (let token = 0; token <= most; token += step) {
      const x = this.x(token);
      parts.push(make("line", {class: "tick", x1: x, x2: x, y1: y, y2: y + 4}));
      parts.push(make("text", {class: "tick", x, y: y + 16}, grouped(token)));
    }
    return parts;
  }

  stopParts(bottom) {
    return this.view.shownStops().map(({stop, index, name}) => {
      const x = this.x(stop);
      return make(
          "g", {class: `stop s${index % 9 + 1}`}, make("title", {}, `${name}: ${grouped(stop)}`),
          make("line", {x1: x, x2: x, y1: 0, y2: bottom}), make("path", {d: `M${x - 5} 0h10l-5 7z`}));
    });
  }

  setToken(token) {
    this.token = token;
    this.element.setAttribute("aria-valuenow", token);
    this.element.setAttribute("aria-valuetext", this.view.readout(token));
    if (!this.cursor) return;
    const x = this.x(token);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
  }

  setSight(first, last) {
    this.seen = [first, last];
    if (!this.sight) return;
    this.sight.setAttribute("x", this.x(first));
    this.sight.setAttribute("width", Math.max(2, this.x(last) - this.x(first)));
  }
}
