/* The text of a trace, in pieces that are made when they come near. Positions are UTF-16 units. */

const pieceUnits = 3000;

/** Where the pieces of a text begin, and its end: at a line's end where there is one, else after a space. */
function pieceBounds(text) {
  const bounds = [0];
  for (let start = 0; start < text.length; start = bounds.at(-1)) {
    const wanted = start + pieceUnits;
    if (wanted >= text.length) {
      bounds.push(text.length);
      break;
    }
    const least = start + pieceUnits / 3;
    const line = text.lastIndexOf("\n", wanted + pieceUnits / 2) + 1;
    const space = text.lastIndexOf(" ", wanted) + 1;
    const isPair = /[\uDC00-\uDFFF]/.test(text[wanted]);
    bounds.push(line > least ? line : space > least ? space : wanted + (isPair ? 1 : 0));
  }
  return bounds;
}

const copyLimits = [256, 1024, 4096, 16384];

/** 1 for the nearest copies to 5 for the farthest. */
function copyLevel(distance) {
  const level = copyLimits.findIndex((limit) => distance <= limit);
  return level < 0 ? copyLimits.length + 1 : level + 1;
}

class TextPane {
  /** `hovered` and `seen` are told of a token, and of the first and last one in sight. */
  constructor(content, {hovered, seen}) {
    this.content = content;
    this.bounds = pieceBounds(content.text);
    this.starts = new WeakMap();
    this.marks = [];
    this.greyFrom = Infinity;
    this.mark = make("div", {class: "cursor", hidden: true});
    this.pieces = this.bounds.slice(0, -1).map((start, i) => this.emptyPiece(start, this.bounds[i + 1], i));
    this.body = make("div", {class: "body"}, ...this.pieces, this.mark);
    this.element =
        make("div", {class: "text", tabindex: 0, role: "region", "aria-label": "The text"}, this.body);
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries)
        if (entry.isIntersecting) this.build(Number(entry.target.dataset.piece));
    }, {root: this.element, rootMargin: "1500px 0px"});
    for (const piece of this.pieces) this.observer.observe(piece);
    this.element.addEventListener("mousemove", (event) => {
      const token = this.tokenAtPoint(event.clientX, event.clientY);
      if (token !== null) hovered(token);
    });
    this.element.addEventListener("scroll", () => {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        seen(...this.tokensInSight());
      });
    });
  }

  emptyPiece(start, end, index) {
    const piece = make("div", {class: "piece", dir: "auto", "data-piece": index});
    const text = this.content.text.slice(start, end);
    const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0);
    piece.style.minHeight = `${1.55 * lines}em`;
    return piece;
  }

  build(index) {
    const piece = this.pieces[index];
    if (piece.firstChild) return piece;
    const [start, end] = [this.bounds[index], this.bounds[index + 1]];
    let at = start;
    for (const cut of this.cuts(start, end)) {
      if (cut.at > at) piece.append(this.run(at, cut.at));
      at = cut.at;
      if (cut.label) piece.append(make("span", {class: cut.kind, "data-label": cut.label}));
    }
    if (end > at) piece.append(this.run(at, end));
    piece.style.minHeight = "";
    return piece;
  }

  /** Where something changes within a piece, in order. */
  cuts(start, end) {
    const cuts = [];
    const copies = this.content.copies;
    for (let i = firstAbove(copies, start, (copy) => copy.end); i < copies.length && copies[i].start < end;
         ++i) {
      cuts.push({at: copies[i].start}, {at: copies[i].end});
    }
    cuts.push({at: this.greyFrom}, ...this.marks);
    const last = end === this.content.text.length;
    return cuts
        .filter(({at, label}) => (label ? at >= start : at > start) && (at < end || (last && at === end)))
        .sort((a, b) => a.at - b.at);
  }

  /** A run of text under one copy, or none. */
  run(start, end) {
    const node = document.createTextNode(this.content.text.slice(start, end));
    this.starts.set(node, start);
    const copy = this.copyAt(start);
    const isGrey = start >= this.greyFrom;
    if (!copy && !isGrey) return node;
    return make(
        "span", {class: `${copy ? `copy c${copyLevel(copy.distance)}` : ""}${isGrey ? " after" : ""}`}, node);
  }

  copyAt(unit) {
    const copies = this.content.copies;
    const copy = copies[firstAbove(copies, unit, (each) => each.end)];
    return copy && copy.start <= unit ? copy : null;
  }

  /** Everything from token `grey` on is greyed; marks are {token, kind, label}, shown after their token. */
  decorate(grey, marks) {
    this.greyFrom = grey === null ? Infinity : this.endOf(grey);
    this.marks = marks.map((mark) => ({...mark, at: this.endOf(mark.token)}));
    const built = this.pieces.map((piece, i) => (piece.firstChild ? i : -1)).filter((i) => i >= 0);
    const top = this.element.scrollTop;
    for (const i of built) this.pieces[i].replaceChildren();
    for (const i of built) this.build(i);
    this.element.scrollTop = top;
  }

  /** Units of the first `token` tokens. */
  endOf(token) {
    return token > 0 ? this.content.ends[Math.min(token, this.content.ends.length) - 1] ?? 0 : 0;
  }

  /** The token that holds a unit, counted from 1. */
  tokenOf(unit) { return Math.min(firstAbove(this.content.ends, unit) + 1, this.content.ends.length); }

  tokenAtPoint(x, y) {
    let node;
    let offset;
    if (document.caretPositionFromPoint) {
      const position = document.caretPositionFromPoint(x, y);
      [node, offset] = [position?.offsetNode, position?.offset];
    } else {
      const range = document.caretRangeFromPoint?.(x, y);
      [node, offset] = [range?.startContainer, range?.startOffset];
    }
    const start = node ? this.starts.get(node) : undefined;
    return start === undefined ? null : this.tokenOf(start + offset);
  }

  /** The first and the last token in sight, by the pieces' shares of the height. */
  tokensInSight() {
    const top = this.element.scrollTop;
    return [top, top + this.element.clientHeight].map((y) => {
      const i = Math.max(0, firstAbove(this.pieces, y, (piece) => piece.offsetTop) - 1);
      const piece = this.pieces[i];
      if (!piece) return 0;
      const share = Math.min(1, (y - piece.offsetTop) / Math.max(1, piece.offsetHeight));
      return this.tokenOf(this.bounds[i] + share * (this.bounds[i + 1] - this.bounds[i]));
    });
  }

  /** Marks a token; with `scroll` it is brought into sight. */
  show(token, scroll) {
    if (this.pieces.length === 0) return;
    const rectangle = this.rectangleOf(token, scroll);
    if (!rectangle) {
      this.mark.hidden = true;
      return;
    }
    const style = this.mark.style;
    this.mark.hidden = false;
    [style.left, style.top] = [`${rectangle.left}px`, `${rectangle.top}px`];
    [style.width, style.height] = [`${Math.max(3, rectangle.width)}px`, `${rectangle.height}px`];
    if (scroll) this.element.scrollTop = rectangle.top - this.element.clientHeight / 3;
  }

  /** Within the body; null where the piece is not made and need not be. */
  rectangleOf(token, mustMake) {
    const unit = Math.max(0, Math.min(this.endOf(token - 1), this.content.text.length - 1));
    const index = Math.min(firstAbove(this.bounds, unit) - 1, this.pieces.length - 1);
    if (mustMake)
      for (let i = Math.max(0, index - 1); i <= Math.min(index + 1, this.pieces.length - 1); ++i)
        this.build(i);
    const node = this.nodeAt(this.pieces[index], unit);
    if (!node) return null;
    const range = document.createRange();
    const start = this.starts.get(node);
    range.setStart(node, unit - start);
    range.setEnd(node, Math.max(unit - start, Math.min(this.endOf(token) - start, node.length)));
    const found = range.getClientRects()[0] ?? range.getBoundingClientRect();
    const origin = this.body.getBoundingClientRect();
    return {
      left: found.left - origin.left,
      top: found.top - origin.top,
      width: found.width,
      height: found.height
    };
  }

  nodeAt(piece, unit) {
    const walker = document.createTreeWalker(piece, NodeFilter.SHOW_TEXT);
    let found = null;
    while (walker.nextNode() && this.starts.get(walker.currentNode) <= unit) found = walker.currentNode;
    return found;
  }
}
