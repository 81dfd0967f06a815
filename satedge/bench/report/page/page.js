"use strict";
// Sorting, filtering and the drill-down. All texts enter through textContent or attributes.

const SVG = "http://www.w3.org/2000/svg";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

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

function filter() {
  const text = byId("find").value.trim().toLowerCase();
  const family = byId("family").value, group = byId("group").value;
  let shown = 0, all = 0;
  document.querySelectorAll("[data-group]").forEach((block) => {
    block.hidden = group !== "" && block.dataset.group !== group;
  });
  document.querySelectorAll(".comparison tbody tr").forEach((row) => {
    const fits = row.cells[0].textContent.toLowerCase().includes(text)
      && (family === "" || row.querySelector(".kind").textContent === family);
    row.hidden = !fits;
    all += 1;
    shown += fits && !row.closest("[data-group]").hidden;
  });
  byId("count").textContent = shown === all ? `${all} lines` : `${shown} of ${all} lines`;
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

// --- one instance: its runs as a table, one of them in detail

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

function runRow(instance, run, open) {
  const button = make("button", {type: "button", class: "link"}, run.method);
  button.title = `show the plan of ${run.method}, seed ${run.seed}`;
  const row = make("tr", {},
    make("th", {scope: "row"}, button),
    numeric(number(run.cost, 8), run.cost), numeric(percent(run.excess), run.excess),
    numeric(percent(run.gap), run.gap), numeric(number(run.lower_bound, 8), run.lower_bound),
    numeric(number(run.latency_s), run.latency_s), numeric(number(run.energy_J), run.energy_J),
    numeric(number(run.deadline_misses), run.deadline_misses),
    numeric(`${number(run.wall_s, 3)} s${run.contended ? " *" : ""}`, run.wall_s),
    numeric(number(run.seed), run.seed), numeric(`${number(run.budget_s)} s`, run.budget_s),
    make("td", {}, run.status + (run.method_status ? ` (${run.method_status})` : "")));
  button.addEventListener("click", () => open(run, row));
  return row;
}

const HEADS = [["method"], ["cost", 1], ["excess", 1], ["gap", 1], ["own bound", 1],
  ["latency s", 1], ["energy J", 1], ["deadline misses", 1], ["time", 1], ["seed", 1], ["budget", 1], ["status"]];

function fact(name, value) {
  return make("li", {}, name + " ", make("b", {}, value));
}

function showInstance(index) {
  const instance = data.instances[index], place = byId("drill");
  if (!instance) return;
  const world = instance.world, detail = make("div");
  const open = (run, row) => {
    place.querySelectorAll("tr[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    row.setAttribute("aria-current", "true");
    detail.replaceChildren(showRun(instance, run));
  };
  const rows = instance.runs.map((run) => runRow(instance, run, open));
  place.replaceChildren(
    make("ul", {class: "facts"},
      fact("devices", world.K), fact("UAVs", world.M), fact("satellites", world.N),
      fact("slots", world.T), fact("best known cost", number(instance.best, 8)),
      fact("best bound", number(instance.bound, 8)), fact("floor", number(instance.floor, 8)),
      fact("sha256", instance.sha256.slice(0, 12))),
    table(HEADS, rows), detail);
  if (rows.some((row) => row.textContent.includes("*")))
    place.append(make("p", {class: "hint"}, "* waited for a core: it would be quicker alone"));
  const first = instance.runs.findIndex((run) => run.plan);
  if (first >= 0) open(instance.runs[first], rows[first]);
}

function showRun(instance, run) {
  const node = make("div", {class: "detail"}), world = instance.world;
  const right = make("div");
  right.append(make("h3", {}, `${run.method} on ${instance.name}`));
  if (run.reason) right.append(make("p", {class: "alert"}, run.reason));
  if (run.plan) {
    const map = make("div"), devices = make("div");
    const show = (slot) => {
      map.replaceChildren(drawMap(world, run.plan, slot));
      devices.replaceChildren(deviceTable(world, run.plan, slot));
    };
    node.append(make("div", {}, ...(world.T > 1 ? [slotPicker(world, run.plan, show)] : []), map));
    right.append(devices);
    show(0);
  } else {
    node.append(make("p", {class: "hint"}, `No plan on this page; the record is ${data.folder}${run.key.slice(0, 2)}/${run.key}.json.gz`));
  }
  const trace = drawTrace(instance, run);
  if (trace) right.append(make("h3", {}, "Incumbent and bound"), trace);
  right.append(folded("Settings", run.settings), folded("Certificate", run.certificate),
    folded("Log", run.log || "nothing was printed"));
  node.append(right);
  return node;
}

function folded(title, text) {
  return make("details", {}, make("summary", {}, title), make("pre", {}, text));
}

function slotPicker(world, plan, show) {
  const slider = make("input", {type: "range", min: 0, max: world.T - 1, value: 0, "aria-label": "slot"});
  const told = make("output", {}, "slot 0"), play = make("button", {type: "button", class: "plain"}, "play");
  let timer = null;
  const go = (slot) => {
    slider.value = slot;
    told.textContent = `slot ${slot}: cost ${number(plan.cost[slot])}`;
    show(slot);
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "play"; };
  slider.addEventListener("input", () => go(Number(slider.value)));
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    play.textContent = "stop";
    timer = setInterval(() => {
      if (!slider.isConnected) return stop();
      go((Number(slider.value) + 1) % world.T);
    }, 250);
  });
  return make("div", {class: "slots"}, play, slider, told);
}

// A map's devices: [x, y, state, server, strength, deadline missed], states by number.
const IDLE = 0, REFUSED = 2;

function deviceTable(world, plan, slot) {
  const rows = plan.maps[slot].devices.map(([, , state, server, , missed], k) => {
    const active = state !== IDLE, known = (values) => active ? values[slot][k] : null;
    const told = (values) => numeric(active ? number(values[slot][k], 4) : "", known(values));
    const margin = told(plan.margin_s);
    if (missed) margin.classList.add("alert");
    const name = state === REFUSED ? "refused" : serverName(world, server);
    return make("tr", {}, make("th", {scope: "row"}, String(k)),
      make("td", {}, active ? name : "idle"),
      told(plan.power_W), told(plan.latency_s), told(plan.energy_J), margin);
  });
  return table([["device"], ["server"], ["power W", 1], ["latency s", 1], ["energy J", 1], ["margin s", 1]], rows);
}

// --- the map: metres to a 500 x 500 drawing, north up, satellites in a strip above

function drawMap(world, plan, slot) {
  const scale = 500 / world.side_m, x = (metres) => metres * scale, y = (metres) => 500 - metres * scale;
  const shown = plan.maps[slot];
  const map = draw("svg", {viewBox: "-12 -112 524 624", role: "img"});
  map.append(draw("title", {}, `Map of slot ${slot}: devices, UAVs, links and satellites`));
  map.append(draw("rect", {x: 0, y: 0, width: 500, height: 500, fill: "#fbfbf8", stroke: "#777"}));
  const clip = `clip${Math.random().toString(36).slice(2)}`;
  map.append(draw("clipPath", {id: clip}, draw("rect", {width: 500, height: 500})));
  const inside = draw("g", {"clip-path": `url(#${clip})`});
  map.append(inside);
  shown.uavs.forEach(([, , ux, uy, , serves], m) => {
    const c = world.colours[m];
    inside.append(draw("circle", {cx: x(ux), cy: y(uy), r: world.coverage_m * scale, stroke: c,
      "stroke-opacity": 0.5, "stroke-dasharray": "5 4", fill: serves ? c : "none", "fill-opacity": 0.05}));
    if (slot > 0) inside.append(draw("polyline", {points: trail(plan, slot, m, x, y), fill: "none", stroke: c, "stroke-opacity": 0.45}));
  });
  const sky = satellites(world, shown, map);
  shown.devices.forEach((device) => link(world, shown, device, x, y, inside));
  shown.uavs.forEach(([bx, by, ux, uy, moved], m) => {
    const c = world.colours[m];
    if (moved) {
      drone(map, x(bx), y(by), c, 0.3);
      map.append(draw("line", {x1: x(bx), y1: y(by), x2: x(ux), y2: y(uy), stroke: c, "stroke-width": 1.5, "stroke-dasharray": "2 3"}));
    }
    drone(map, x(ux), y(uy), c, 1);
    label(map, x(ux), y(uy) + 24, `UAV ${m}`, c, "middle");
  });
  shown.devices.forEach((device, k) => drawDevice(world, plan, slot, device, k, x, y, map));
  map.append(sky);
  return map;
}

function trail(plan, slot, m, x, y) {
  const points = plan.maps.slice(0, slot + 1).map((shown) => shown.uavs[m]);
  const [bx, by] = points[0];
  return [[bx, by], ...points.map(([, , ux, uy]) => [ux, uy])].map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
}

function label(map, x, y, text, fill, anchor, size = 11) {
  map.append(draw("text", {x, y, fill, "text-anchor": anchor, "font-size": size, "font-weight": 600,
    stroke: "#fff", "stroke-width": 3, "paint-order": "stroke", "font-family": "sans-serif"}, text));
}

function drone(map, x, y, c, opacity) {
  const g = draw("g", {opacity, transform: `translate(${x} ${y})`});
  g.append(draw("path", {d: "M-7-7 7 7M-7 7 7-7", stroke: c, "stroke-width": 2.4}));
  for (const [dx, dy] of [[-7, -7], [7, -7], [-7, 7], [7, 7]])
    g.append(draw("circle", {cx: dx, cy: dy, r: 4, fill: "#fff", stroke: c, "stroke-width": 1.8}));
  g.append(draw("rect", {x: -3.5, y: -3.5, width: 7, height: 7, fill: c}));
  map.append(g);
}

function link(world, shown, [dx, dy, state, server, strength], x, y, map) {
  if (server < 0) return;
  const up = server >= world.M;
  const [x2, y2] = up ? [x(dx) + 0.3 * (250 - x(dx)), -40] : [x(shown.uavs[server][2]), y(shown.uavs[server][3])];
  map.append(draw("line", {x1: x(dx), y1: y(dy), x2, y2, stroke: world.colours[server],
    "stroke-width": 0.8 + 0.9 * strength, "stroke-opacity": up ? 0.45 : 1}));
}

function drawDevice(world, plan, slot, [dx, dy, state, server, , missed], k, x, y, map) {
  if (state === IDLE) {
    map.append(draw("circle", {cx: x(dx), cy: y(dy), r: 4.5, fill: "#fff", stroke: "#b6bdc4", "stroke-width": 1.5}));
    return;
  }
  const dot = draw("circle", {cx: x(dx), cy: y(dy), r: 8.5, fill: state === REFUSED ? "#222" : world.colours[server],
    stroke: missed ? "#000" : "#fff", "stroke-width": missed ? 2.6 : 1.4});
  const told = state === REFUSED ? "refused" : `${serverName(world, server)}, ${number(plan.power_W[slot][k], 3)} W, `
    + `${number(plan.latency_s[slot][k], 4)} s${missed ? ", deadline missed" : ""}`;
  dot.append(draw("title", {}, `device ${k}: ${told}`));
  map.append(dot);
  map.append(draw("text", {x: x(dx), y: y(dy) + 3.6, fill: "#fff", "text-anchor": "middle", "font-size": 10,
    "font-weight": 700, "font-family": "sans-serif", "pointer-events": "none"}, String(k)));
}

function satellites(world, shown, map) {
  const g = draw("g"), at = ([, place, height]) => [500 * place, -52 - 26 * height];
  const accessible = shown.satellites.find((satellite) => satellite[6]);
  shown.satellites.forEach((satellite) => {
    const [server, , , name, note, load, access] = satellite, [px, py] = at(satellite), c = world.colours[server];
    if (load && !access && accessible) {
      const [ax, ay] = at(accessible);
      map.append(draw("line", {x1: px, y1: py, x2: ax, y2: ay, stroke: "#777", "stroke-dasharray": "3 3"}));
    }
    const look = {fill: load ? c : "#fff", stroke: c, "stroke-width": 1.4};
    g.append(draw("rect", {x: px - 20, y: py - 5, width: 14, height: 10, ...look}),
      draw("rect", {x: px + 6, y: py - 5, width: 14, height: 10, ...look}),
      draw("rect", {x: px - 4.5, y: py - 7.5, width: 9, height: 15, ...look}));
    label(g, px, py - 13, name, load || access ? c : "#777", "middle");
    label(g, px, py + 21, note, "#5b636b", "middle", 9.5);
  });
  return g;
}

// --- incumbent and bound against time, on a logarithmic time axis

function drawTrace(instance, run) {
  const points = run.trace.filter((p) => p[1] !== null || p[2] !== null);
  if (points.length < 2) return null;
  const [left, right, top, bottom] = [64, 540, 10, 150];
  const times = points.map((p) => Math.log10(Math.max(p[0], 1e-4)));
  const values = points.flatMap((p) => [p[1], p[2]]).filter((v) => v !== null);
  const lowT = Math.min(...times), highT = Math.max(...times, lowT + 0.1);
  const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
  const x = (t) => left + (right - left) * (t - lowT) / (highT - lowT);
  const y = (v) => bottom - (bottom - top) * (v - low) / (high - low);
  const node = draw("svg", {viewBox: "0 0 560 190", role: "img"});
  node.append(draw("title", {}, `Cost of the incumbent and lower bound of ${run.method} against time`));
  node.append(draw("path", {d: `M${left} ${top}V${bottom}H${right}`, fill: "none", stroke: "#777"}));
  const steps = (column) => {
    let path = "", last = null;
    points.forEach((p, i) => {
      if (p[column] === null) return;
      path += last === null ? `M${x(times[i])} ${y(p[column])}` : `H${x(times[i])}V${y(p[column])}`;
      last = p[column];
    });
    return path && `${path}H${right}`;
  };
  node.append(draw("path", {d: steps(1), fill: "none", stroke: "#D55E00", "stroke-width": 2}));
  node.append(draw("path", {d: steps(2), fill: "none", stroke: "#0072B2", "stroke-width": 2, "stroke-dasharray": "6 3"}));
  label(node, left - 6, top + 8, number(high, 5), "#5b636b", "end");
  label(node, left - 6, bottom, number(low, 5), "#5b636b", "end");
  label(node, left, bottom + 16, `${number(10 ** lowT, 2)} s`, "#5b636b", "start");
  label(node, right, bottom + 16, `${number(10 ** highT, 2)} s`, "#5b636b", "end");
  label(node, left + 8, bottom + 34, "cost of the incumbent", "#D55E00", "start");
  label(node, left + 190, bottom + 34, "lower bound (dashed)", "#0072B2", "start");
  return node;
}

// --- start

document.querySelectorAll("table.sortable").forEach(makeSortable);
for (const id of ["find", "family", "group"]) byId(id).addEventListener("input", filter);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
filter();

const chooser = byId("instance");
data.instances.forEach((instance, i) =>
  chooser.append(make("option", {value: i}, `${instance.group}: ${instance.name}`)));
chooser.addEventListener("change", () => showInstance(Number(chooser.value)));
function step(by) {
  if (!data.instances.length) return;
  chooser.value = (Number(chooser.value) + by + data.instances.length) % data.instances.length;
  showInstance(Number(chooser.value));
}
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
showInstance(0);
if (data.left_out.runs || data.left_out.plans) {
  byId("left-out").textContent = `Left out to keep the page small: ${data.left_out.runs} runs and `
    + `${data.left_out.plans} plans, further seeds of a method first; all of them lie under ${data.folder}.`;
}
