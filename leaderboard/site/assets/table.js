// Orders and filters the lines of a table. Without this script the table keeps its first order.
"use strict";
(function () {
  var table = document.getElementById("board");
  var filters = document.getElementById("filters");
  var bodies = ["ranked", "apart"].map(function (id) { return document.getElementById(id); }).filter(Boolean);
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  var sort = document.getElementById("sort"), group = document.getElementById("group"), find = document.getElementById("find");
  var sees = document.getElementById("sees"), blind = document.getElementById("blind");
  var baselines = document.getElementById("baselines"), count = document.getElementById("count");
  var more = document.getElementById("more"), few = 200; // as in site.css
  var focus = document.getElementById("focus");
  var state = { key: table.dataset.sort, down: null };

  function column(key) {
    return heads.findIndex(function (head) { return head.dataset.k === key; });
  }
  function text(row) { return row.cells[1].textContent.trim().toLowerCase(); }

  function order(key, descending) {
    var at = column(key);
    var head = heads[at];
    var named = key === "name";
    var better = named ? false : head.dataset.up === "1";
    var down = descending === null || descending === undefined ? better : descending;
    state = { key: key, down: down };
    bodies.forEach(function (body) {
      var rows = Array.prototype.map.call(body.rows, function (row) {
        var cell = row.cells[at], value = cell.dataset.v;
        var words = named ? text(row) : cell.textContent.trim().toLowerCase();
        return { row: row, value: value === undefined ? NaN : Number(value), words: words, name: text(row), tier: cell.dataset.t || "" };
      });
      rows.sort(function (a, b) {
        var blankA = !a.words, blankB = !b.words;
        if (blankA !== blankB) return blankA ? 1 : -1;
        var found = isNaN(a.value) || isNaN(b.value) ? (a.words < b.words ? -1 : a.words > b.words ? 1 : 0) : a.value - b.value;
        return (down ? -found : found) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
      });
      var all = document.createDocumentFragment();
      rows.forEach(function (entry) {
        entry.row.cells[0].textContent = entry.tier;
        all.appendChild(entry.row);
      });
      body.appendChild(all);
    });
    heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    if (!named) {
      table.dataset.sort = key;
      focus.textContent = "@media (max-width: 720px) { #board .v:not(.k-" + key + ") { display: none } }" +
        "#board .v.k-" + key + " { display: table-cell }";
      sort.value = key;
    }
    lead();
  }

  // A line above the first line of each tier that is shown.
  function lead() {
    bodies.forEach(function (body) {
      var before = "";
      Array.prototype.forEach.call(body.rows, function (row) {
        if (row.hidden) return;
        var tier = row.cells[0].textContent;
        row.classList.toggle("opens", tier !== "" && tier !== before);
        before = tier;
      });
    });
  }

  function columns() {
    table.className = table.className.replace(/show-\S+/, "show-" + group.value);
  }

  function has(row, word) { return (" " + row.dataset.in + " ").indexOf(" " + word + " ") >= 0; }

  function filter() {
    var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = 0, every = 0, longest = 0;
    bodies.forEach(function (body) {
      var before = shown;
      Array.prototype.forEach.call(body.rows, function (row) {
        every += 1;
        var fits = words.every(function (word) { return row.dataset.find.indexOf(word) >= 0; }) &&
          (!sees.value || has(row, sees.value)) && (!blind.value || !has(row, blind.value)) &&
          (baselines.checked || row.dataset.kind !== "baseline");
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      longest = Math.max(longest, shown - before);
    });
    count.textContent = shown === every ? every + " lines" : shown + " of " + every + " lines";
    more.hidden = !table.classList.contains("few") || longest <= few;
    document.getElementById("none").hidden = shown > 0;
    lead();
  }

  heads.forEach(function (head) {
    var button = head.querySelector("button.order");
    if (!button) return;
    button.addEventListener("click", function () {
      var key = head.dataset.k;
      order(key, state.key === key ? !state.down : null);
    });
  });
  sort.addEventListener("change", function () { order(sort.value, null); });
  group.addEventListener("change", columns);
  Array.prototype.forEach.call(document.getElementsByName("family"), function (choice) {
    choice.addEventListener("change", function () {
      var headline = heads.find(function (head) { return head.dataset.name === choice.dataset.order; });
      order(headline ? headline.dataset.k : table.dataset.sort, null);
    });
  });
  more.addEventListener("click", function () {
    table.classList.remove("few");
    more.hidden = true;
  });
  [find, sees, blind, baselines].forEach(function (field) {
    field.addEventListener("input", filter);
    field.addEventListener("change", filter);
  });
  filters.addEventListener("submit", function (event) { event.preventDefault(); });
  filters.addEventListener("reset", function () {
    window.setTimeout(function () {
      columns();
      filter();
      order(sort.value, null);
    }, 0);
  });
  filters.hidden = false;
  filter();
})();
