"use strict";
// Sorting by any column, and showing one model only.
(() => {
  const sortKey = (row, place) => {
    const cell = row.cells[place];
    if (!cell || cell.classList.contains("withheld")) return null;
    if (!("value" in cell.dataset)) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  const sortBy = (table, head) => {
    const numeric = head.classList.contains("num");
    const first = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const cell of head.parentElement.cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    table.classList.add("sorted");
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, head.cellIndex), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button.sort")?.addEventListener("click", () => sortBy(table, head));
    }
  }

  for (const select of document.querySelectorAll("select.filter-model")) {
    select.addEventListener("change", () => {
      // Of several models the first row of a group names it; of one model every row must.
      select.closest("section").classList.toggle("one-model", select.value !== "");
      for (const row of select.closest("section").querySelectorAll(".breakdown tr[data-model]")) {
        row.hidden = select.value !== "" && row.dataset.model !== select.value;
      }
    });
  }
})();
