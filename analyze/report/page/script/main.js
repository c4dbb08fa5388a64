/* The explorer as a whole: one state, which the address has too. */

const explorer = {
  state: null,
  view: null,

  start() {
    document.getElementById("explorer").hidden = false;
    document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", () => this.readAddress());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, select");
      if (event.key === "Escape" && !typing && this.state.trace >= 0) this.change({trace: -1});
    });
    this.state = defaultState();
    this.showAll();
    this.readAddress();
  },

  readAddress() {
    if (!location.hash.startsWith("#traces?")) return;
    const before = this.state.trace;
    this.state = stateFromAddress(location.hash);
    this.showAll();
    const opened = this.state.trace >= 0;
    document.getElementById(opened ? "trace" : "traces").scrollIntoView();
    if (opened && before !== this.state.trace)
      document.getElementById("trace-title").focus({preventScroll: true});
  },

  /** What the reader changes: a trace opened or closed is a step that Back undoes, a filter is none. */
  change(difference) {
    const page = "page" in difference || "trace" in difference ? {} : {page: 0};
    this.state = {...this.state, ...page, ...difference};
    if ("trace" in difference)
      location.hash = addressOf(this.state);
    else
      history.replaceState(null, "", addressOf(this.state));
    if ("trace" in difference) return;  // readAddress() does it
    if (!("search" in difference || "f" in difference || "t" in difference)) this.showForm();
    this.show();
  },

  showAll() {
    this.showForm();
    this.show();
  },

  /** The field that is in use stays in use. */
  showForm() {
    const form = document.getElementById("filters");
    const name = document.activeElement?.form === form ? document.activeElement.name : null;
    showFilters(form, this.state, (difference) => this.change(difference));
    if (name) form.elements[name]?.focus();
  },

  show() {
    const entries = selected(this.state);
    showList(entries, this.state, (difference) => this.change(difference));
    const article = document.getElementById("trace");
    article.hidden = this.state.trace < 0;
    if (article.hidden) {
      this.view = null;
      article.replaceChildren();
    } else if (this.view?.trace === this.state.trace) {
      this.view.update(this.state);
      article.querySelector(".others").replaceChildren(...this.neighbours(entries));
    } else {
      this.view = new TraceView(this.state.trace, this.state, (difference) => this.change(difference));
      this.view.fill(article, this.neighbours(entries));
    }
  },

  neighbours(entries) {
    const link = (trace, label) => make("a", {href: addressOf({...this.state, trace})}, label);
    const at = entries.findIndex((entry) => entry.trace === this.state.trace);
    const links = [link(-1, "Close")];
    if (at > 0) links.unshift(link(entries[at - 1].trace, "‹ Previous"));
    if (at >= 0 && at + 1 < entries.length) links.push(link(entries[at + 1].trace, "Next ›"));
    return links;
  },
};

explorer.start();
