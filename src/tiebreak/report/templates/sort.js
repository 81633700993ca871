
"use strict";
// Each heading of a table that may be sorted becomes a button: once up, once down, and then as it was.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0], before = Array.from(body.rows);
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    const said = cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
    return { empty: said === "", number: Number(said), text: said };
  };
  const compare = (column, sign) => (first, second) => {
    const one = keyOf(first, column), other = keyOf(second, column);
    if (one.empty || other.empty) return Number(one.empty) - Number(other.empty); // nothing to sort by stands last
    const numbers = !Number.isNaN(one.number) && !Number.isNaN(other.number);
    return sign * (numbers ? one.number - other.number : one.text.localeCompare(other.text));
  };
  const headings = Array.from(table.tHead.rows[0].cells).filter((cell) => cell.tagName === "TH");
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const next = now === null ? "ascending" : now === "ascending" ? "descending" : null;
      for (const each of headings) each.removeAttribute("aria-sort");
      const rows = before.slice();
      if (next !== null) {
        heading.setAttribute("aria-sort", next);
        rows.sort(compare(column, next === "ascending" ? 1 : -1));
      }
      body.append(...rows);
    });
  });
}
