"use strict";
// Orders the lines of the main table by a column; without this script the table is in the order it was measured.
(() => {
  const table = document.getElementById("main");
  const body = table.tBodies[0];
  const measured = [...body.rows];
  const value = (row, column) => parseFloat(row.cells[column].dataset.v);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      if (head.dataset.word !== undefined) {
        body.append(...measured);
        return;
      }
      const best = head.dataset.up === "1" ? "descending" : "ascending";
      const worst = best === "descending" ? "ascending" : "descending";
      const order = before === best ? worst : best;
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...measured].sort((a, b) => {
        const x = value(a, column), y = value(b, column);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return sign * (x - y);
      });
      body.append(...rows);
      head.setAttribute("aria-sort", order);
    });
  });
  document.getElementById("hint").hidden = false;
  // A picture that is pressed takes the whole width.
  document.querySelectorAll(".gallery img").forEach((picture) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") === "false"));
    });
  });
  // What is folded away on the screen belongs on the paper.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
})();
