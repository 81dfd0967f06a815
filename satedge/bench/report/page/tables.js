"use strict";
// What all pages share: making elements, tables that sort, numbers as text. All texts enter through
// textContent or attributes.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// The gzipped JSON of an element, which goes away.
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  byId(id).remove();
  return JSON.parse(text);
}

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// --- tables: a heading's button sorts by its column

function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  if (value === undefined) return cell.textContent.trim().toLowerCase();
  return value === "" ? NaN : Number(value);
}

function compare(a, b, sign) {
  const aLast = typeof a === "number" && isNaN(a), bLast = typeof b === "number" && isNaN(b);
  if (aLast || bLast) return aLast - bLast;
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
    rows.sort((a, b) => compare(a[0], b[0], up ? 1 : -1));
    table.tBodies[0].append(...rows.map((pair) => pair[1]));
  }));
}

// --- numbers as text

function number(value, digits = 5) {
  return value === null || value === undefined ? "-" : Number(value.toPrecision(digits)).toString();
}

function percent(value) {
  if (value === null || value === undefined) return "-";
  const scaled = 100 * value;
  return (scaled !== 0 && Math.abs(scaled) < 1e-3 ? scaled.toExponential(1) : scaled.toFixed(3)) + " %";
}

function serverName(world, server) {
  if (server < 0) return "-";
  return server < world.M ? `UAV ${server}` : `satellite ${server - world.M}`;
}

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map(([text, numeric]) =>
    make("th", {scope: "col", class: numeric ? "n" : ""}, make("button", {type: "button"}, text))));
  const node = make("table", {class: "sortable"}, make("thead", {}, head), make("tbody", {}, ...rows));
  makeSortable(node);
  return make("div", {class: "scroll", tabindex: "0"}, node);
}

function numeric(text, value) {
  const missing = value === null || value === undefined;
  return make("td", {class: "n", "data-value": missing ? "" : String(value)}, text);
}
