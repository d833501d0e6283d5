"use strict";
// Without this script the page is whole but for the order of its rows.
for (const table of document.querySelectorAll("table.results")) {
  const body = table.tBodies[0], said = document.getElementById("sorted");
  const heads = Array.from(table.tHead.rows[0].cells);
  const key = (row, k) => {
    const cell = row.cells[k];
    return cell.hasAttribute("data-value") ? Number(cell.getAttribute("data-value")) : cell.textContent;
  };
  const order = (a, b) => (typeof a === "number" ? a - b || 0 : a.localeCompare(b, undefined, { numeric: true }));
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      const sign = way === "ascending" ? 1 : -1;
      heads.forEach((each) => each.setAttribute("aria-sort", each === head ? way : "none"));
      body.append(...Array.from(body.rows).sort((a, b) => sign * order(key(a, k), key(b, k))));
      said.textContent = "sorted by " + button.textContent + ", " + way;
    });
  });
}
