"use strict";

/* What packed_numbers.h writes. */

function bytesOf(base64) { return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)); }

function packedNumbers(base64) {
  const numbers = [];
  let number = 0;
  let weight = 1;
  for (const byte of bytesOf(base64)) {
    number += (byte % 128) * weight;
    weight *= 128;
    if (byte < 128) {
      numbers.push(number);
      number = 0;
      weight = 1;
    }
  }
  return numbers;
}

function packedDifferences(base64) {
  let last = 0;
  return packedNumbers(base64).map((number) => (last += number % 2 ? -(number + 1) / 2 : number / 2));
}

function packedRuns(base64) {
  const packed = packedNumbers(base64);
  const numbers = [];
  let last = 0;
  for (let i = 0; i < packed.length; ++i) {
    const difference = Math.floor(packed[i] / 2);
    const count = packed[i] % 2 ? packed[++i] : 1;
    for (let k = 0; k < count; ++k) numbers.push((last += difference));
  }
  return numbers;
}

/* The data of the page, each part read when it is first asked for. */

const data = {
  element(id) { return JSON.parse(document.getElementById(id).textContent); },
  get index() { return (this.indexRead ??= this.element("data-index")); },
  /** The curve of a trace, {grid, values}; null where it has none of this measure. */
  curve(trace, measure) {
    this.curvesRead ??= this.element("data-curves");
    const curve = this.curvesRead[trace][measure];
    if (!curve) return null;
    if (typeof curve.values === "string") curve.values = packedDifferences(curve.values);
    return curve;
  },
  text(trace) {
    const read = this.element(`data-trace-${trace}`);
    read.ends = packedRuns(read.ends);
    read.copies = copiesOf(read.copies);
    if (read.surprise) read.surprise = bytesOf(read.surprise);
    if (read.entropy) read.entropy = bytesOf(read.entropy);
    return read;
  },
};

/** {start, end, distance} in UTF-16 units, in order. */
function copiesOf(base64) {
  const packed = packedNumbers(base64);
  const copies = [];
  let last = 0;
  for (let i = 0; i < packed.length; i += 3) {
    const start = last + packed[i];
    last = start + packed[i + 1];
    copies.push({start, end: last, distance: packed[i + 2]});
  }
  return copies;
}

/* Small things that all parts use. */

/** The index of the first of `sorted` that is above `value`. */
function firstAbove(sorted, value, key = (item) => item) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(sorted[middle]) > value)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/** The least and the greatest of any number of numbers, and of 0. */
function extent(numbers) {
  return numbers.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [0, 0]);
}

/** An element; what it holds is text or elements, never markup. */
function make(name, attributes = {}, ...children) {
  const inSvg = make.svgNames.has(name);
  const element =
      inSvg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on"))
      element.addEventListener(key.slice(2), value);
    else if (value === true)
      element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null)
      element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined)
                     .map((child) => child instanceof Node ? child : document.createTextNode(String(child))));
  return element;
}
make.svgNames = new Set(["svg", "g", "path", "rect", "line", "text", "title"]);

function grouped(number) { return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ","); }

function percent(share) { return `${(100 * share).toFixed(1)} %`; }
