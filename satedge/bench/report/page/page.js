// The report: filtering the comparison, and the drill-down into instances and runs.

const data = await unpacked("data");

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

// --- one instance: its runs as a table, one of them in detail

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
      map.replaceChildren(drawMap(world, run.plan, slot, instance.name));
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
  node.append(draw("path", {d: `M${left} ${top}V${bottom}H${right}`, fill: "none", stroke: "var(--frame)"}));
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
  label(node, left - 6, top + 8, number(high, 5), "var(--note)", "end");
  label(node, left - 6, bottom, number(low, 5), "var(--note)", "end");
  label(node, left, bottom + 16, `${number(10 ** lowT, 2)} s`, "var(--note)", "start");
  label(node, right, bottom + 16, `${number(10 ** highT, 2)} s`, "var(--note)", "end");
  label(node, left + 8, bottom + 34, "cost of the incumbent", "#D55E00", "start");
  label(node, left + 190, bottom + 34, "lower bound (dashed)", "#0072B2", "start");
  return node;
}

// --- start

document.querySelectorAll("table.sortable").forEach(makeSortable);
for (const id of ["find", "family", "group"]) byId(id).addEventListener("input", filter);
byId("all").addEventListener("input", () => document.querySelector("main").classList.toggle("all", byId("all").checked));
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
