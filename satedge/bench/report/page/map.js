// A slot: its map, its devices, and which slot is shown.

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

function drawMap(world, plan, slot, name) {
  const scale = 500 / world.side_m, x = (metres) => metres * scale, y = (metres) => 500 - metres * scale;
  const shown = plan.maps[slot];
  const map = draw("svg", {viewBox: "-12 -112 524 624", role: "img"});
  const where = `${name}, slot ${slot}`;
  map.append(draw("title", {}, `Map of ${where}: devices, UAVs, links and satellites`));
  map.append(draw("rect", {x: 0, y: 0, width: 500, height: 500, fill: "var(--map)", stroke: "var(--frame)"}));
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
  label(map, 4, 494, where, "var(--note)", "start");
  return map;
}

function trail(plan, slot, m, x, y) {
  const points = plan.maps.slice(0, slot + 1).map((shown) => shown.uavs[m]);
  const [bx, by] = points[0];
  return [[bx, by], ...points.map(([, , ux, uy]) => [ux, uy])].map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
}

function label(map, x, y, text, fill, anchor, size = 11) {
  map.append(draw("text", {x, y, fill, "text-anchor": anchor, "font-size": size, "font-weight": 600,
    stroke: "var(--paper)", "stroke-width": 3, "paint-order": "stroke", "font-family": "sans-serif"}, text));
}

function drone(map, x, y, c, opacity) {
  const g = draw("g", {opacity, transform: `translate(${x} ${y})`});
  g.append(draw("path", {d: "M-7-7 7 7M-7 7 7-7", stroke: c, "stroke-width": 2.4}));
  for (const [dx, dy] of [[-7, -7], [7, -7], [-7, 7], [7, 7]])
    g.append(draw("circle", {cx: dx, cy: dy, r: 4, fill: "var(--paper)", stroke: c, "stroke-width": 1.8}));
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
    map.append(draw("circle", {cx: x(dx), cy: y(dy), r: 4.5, fill: "var(--paper)", stroke: "var(--idle)", "stroke-width": 1.5}));
    return;
  }
  const dot = draw("circle", {cx: x(dx), cy: y(dy), r: 8.5, fill: state === REFUSED ? "var(--refused)" : world.colours[server],
    stroke: missed ? "var(--ring)" : "var(--paper)", "stroke-width": missed ? 2.6 : 1.4});
  const told = state === REFUSED ? "refused" : `${serverName(world, server)}, ${number(plan.power_W[slot][k], 3)} W, `
    + `${number(plan.latency_s[slot][k], 4)} s${missed ? ", deadline missed" : ""}`;
  dot.append(draw("title", {}, `device ${k}: ${told}`));
  map.append(dot);
  map.append(draw("text", {x: x(dx), y: y(dy) + 3.6, fill: "var(--paper)", "text-anchor": "middle", "font-size": 10,
    "font-weight": 700, "font-family": "sans-serif", "pointer-events": "none"}, String(k)));
}

function satellites(world, shown, map) {
  const g = draw("g"), at = ([, place, height]) => [500 * place, -52 - 26 * height];
  const accessible = shown.satellites.find((satellite) => satellite[6]);
  shown.satellites.forEach((satellite) => {
    const [server, , , name, note, load, access] = satellite, [px, py] = at(satellite), c = world.colours[server];
    if (load && !access && accessible) {
      const [ax, ay] = at(accessible);
      map.append(draw("line", {x1: px, y1: py, x2: ax, y2: ay, stroke: "var(--frame)", "stroke-dasharray": "3 3"}));
    }
    const look = {fill: load ? c : "var(--paper)", stroke: c, "stroke-width": 1.4};
    g.append(draw("rect", {x: px - 20, y: py - 5, width: 14, height: 10, ...look}),
      draw("rect", {x: px + 6, y: py - 5, width: 14, height: 10, ...look}),
      draw("rect", {x: px - 4.5, y: py - 7.5, width: 9, height: 15, ...look}));
    label(g, px, py - 13, name, load || access ? c : "var(--frame)", "middle");
    label(g, px, py + 21, note, "var(--note)", "middle", 9.5);
  });
  return g;
}
