// The page of an instance: the map of its best known plan.

document.querySelectorAll("table.sortable").forEach(makeSortable);
const data = await unpacked("data");
if (data.plan) {
  const {name, world, plan} = data, map = make("div"), devices = make("div");
  const show = (slot) => {
    map.replaceChildren(drawMap(world, plan, slot, name));
    devices.replaceChildren(deviceTable(world, plan, slot));
  };
  byId("best").append(make("div", {}, ...(world.T > 1 ? [slotPicker(world, plan, show)] : []), map), devices);
  show(0);
} else byId("best").append(make("p", {class: "hint"}, "No plan is recorded."));
