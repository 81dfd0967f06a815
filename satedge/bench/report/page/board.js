// The leaderboard: tables that sort, and one class alone.

document.querySelectorAll("table.sortable").forEach(makeSortable);

function filter() {
  const kind = byId("family").value;
  const rows = [...document.querySelectorAll("tbody tr")];
  rows.forEach((row) => { row.hidden = kind !== "" && row.querySelector(".kind").textContent !== kind; });
  byId("count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} submissions`;
}
byId("family").addEventListener("input", filter);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
filter();
