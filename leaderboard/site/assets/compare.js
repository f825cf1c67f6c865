// Compares two lines of a table, from the user means and the errors of differences that two small scripts bring.
"use strict";
(function () {
  var board = JSON.parse(document.getElementById("board-data").textContent);
  var loaded = {}, waiting = {};
  var SVG = "http://www.w3.org/2000/svg";
  var fields = ["task", "a", "b"].reduce(function (all, id) { all[id] = document.getElementById(id); return all; }, {});
  var out = document.getElementById("out"), said = document.getElementById("said"), metric = document.getElementById("metric");
  var body = document.getElementById("compared").tBodies[0];
  var turn = 0, current = null;

  // Called by every data script with its name and, per metric, one mean per user (or null) and the standard error
  // of the difference to every line of the table.
  window.gazebench = function (key, values) {
    loaded[key] = values;
    (waiting[key] || []).forEach(function (done) { done(values); });
    delete waiting[key];
  };

  function load(table, row, done) {
    var key = table.key + "/" + row.data;
    if (loaded[key]) { done(loaded[key]); return; }
    if (waiting[key]) { waiting[key].push(done); return; }
    waiting[key] = [done];
    var script = document.createElement("script");
    script.src = "data/" + key + ".js";
    script.addEventListener("error", function () {
      delete waiting[key];
      said.textContent = "The data of " + row.name + " are missing from this site.";
    });
    document.head.appendChild(script);
  }

  function element(name, content, kind) {
    var made = document.createElement(name);
    if (content !== undefined) made.textContent = content;
    if (kind) made.className = kind;
    return made;
  }
  function drawn(name, attributes) {
    var made = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (key) { made.setAttribute(key, attributes[key]); });
    return made;
  }
  function shown(value) {
    var words = value.toFixed(3);
    return Number(words) === 0 ? "0.000" : words;
  }
  function signed(value) { var words = shown(value); return Number(words) > 0 ? "+" + words : words; }
  function mean(values) { return values.reduce(function (sum, value) { return sum + value; }, 0) / values.length; }

  // Mean difference with its t interval; the error is over what the table says, t the quantile for its degrees.
  function paired(a, b, error, t) {
    var middle = mean(a.map(function (value, i) {
      var d = value - b[i];
      return Math.abs(d) <= 1e-7 * Math.max(Math.abs(value), Math.abs(b[i])) ? 0 : d;
    }));
    if (error === null || t === null) return { mean: middle, low: NaN, high: NaN };
    return { mean: middle, low: middle - t * error, high: middle + t * error };
  }

  // All bars have one scale: the difference in units of its standard error, with A better to the right.
  function bar(found, unit, up) {
    var svg = drawn("svg", { "class": "bar wide", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    function x(value) { return 50 + (up ? 48 : -48) * Math.max(-1, Math.min(1, value / unit)); }
    svg.appendChild(drawn("path", { "class": "zero", d: "M50 0V10" }));
    if (!isNaN(found.low)) svg.appendChild(drawn("path", { "class": "range", d: "M" + x(found.low) + " 5H" + x(found.high) }));
    svg.appendChild(drawn("path", { "class": "mean", d: "M" + x(found.mean) + " 1V9" }));
    return svg;
  }

  function tableOf() { return board.tables[fields.task.selectedIndex]; }
  function rowOf(table, id) { return table.rows[fields[id].selectedIndex]; }

  function remember(table, a, b) {
    var hash = "#t=" + table.key + "&a=" + a.data + "&b=" + b.data;
    if (window.location.hash !== hash) window.history.replaceState(null, "", hash);
  }

  function compare() {
    var table = tableOf(), a = rowOf(table, "a"), b = rowOf(table, "b"), mine = ++turn;
    if (!a || !b) { out.hidden = true; said.textContent = "There are no two simulators to compare."; return; }
    remember(table, a, b);
    load(table, a, function (first) {
      load(table, b, function (second) {
        if (mine === turn) show(table, a, b, first.means, second.means, first.errors);
      });
    });
  }

  function show(table, a, b, first, second, errors) {
    body.textContent = "";
    document.getElementById("over").textContent = table.over;
    document.querySelectorAll("[data-table]").forEach(function (note) { note.hidden = note.dataset.table !== table.key; });
    var place = table.rows.indexOf(b);
    var common = [], widest = table.metrics.reduce(function (top, m, j) {
      var error = a === b || first[j] === null || second[j] === null ? 0 : errors[j][place];
      return error ? Math.max(top, Math.abs(mean(first[j]) - mean(second[j])) / error + table.t) : top;
    }, 1);
    table.metrics.forEach(function (m, j) {
      if (first[j] === null && second[j] === null) return;
      var line = element("tr"), head = element("th", m.name + m.arrow);
      head.scope = "row";
      line.appendChild(head);
      [first[j], second[j]].forEach(function (values) { line.appendChild(element("td", values === null ? "–" : shown(mean(values)), "n")); });
      if (first[j] === null || second[j] === null) {
        line.appendChild(element("td", "only one of the two claims it", "dim"));
        line.appendChild(element("td"));
        line.appendChild(element("td"));
        body.appendChild(line);
        return;
      }
      common.push(j);
      var found = paired(first[j], second[j], a === b ? 0 : errors[j][place], table.t);
      var interval = isNaN(found.low) ? "" : " [" + signed(found.low) + ", " + signed(found.high) + "]";
      var cell = element("td", signed(found.mean), "diff");
      cell.dataset.mean = found.mean; cell.dataset.low = found.low; cell.dataset.high = found.high;
      cell.appendChild(element("span", interval, "ci"));
      line.appendChild(cell);
      var holder = element("td"), error = a === b ? 0 : errors[j][place];
      holder.appendChild(bar(found, (error || Math.abs(found.mean) / widest || 1) * widest, m.up));
      line.appendChild(holder);
      var verdict = "not separated";
      if (found.low > 0 || found.high < 0) verdict = (found.mean > 0) === m.up ? "A better" : "B better";
      line.appendChild(element("td", verdict, verdict === "not separated" ? "dim" : "verdict"));
      body.appendChild(line);
    });
    var before = metric.value;
    metric.textContent = "";
    common.forEach(function (j) {
      var option = element("option", table.metrics[j].name + table.metrics[j].arrow);
      option.value = String(j);
      metric.appendChild(option);
    });
    if (common.indexOf(Number(before)) >= 0 && before !== "") metric.value = before;
    current = { table: table, a: a, b: b, first: first, second: second };
    said.textContent = "A: " + title(a) + " · B: " + title(b) + " · " + table.users.length + " users";
    out.hidden = false;
    users();
  }

  function title(row) { return row.name + (row.version ? " " + row.version : "") + (row.ranked ? "" : " (not ranked)"); }

  // One dot per user; above the diagonal B's value is the larger.
  function users() {
    var figure = document.getElementById("users");
    figure.textContent = "";
    if (!current || metric.value === "") return;
    var j = Number(metric.value), a = current.first[j], b = current.second[j], m = current.table.metrics[j];
    var all = a.concat(b), low = Math.min.apply(null, all), high = Math.max.apply(null, all);
    if (high === low) { low -= 0.5; high += 0.5; }
    function x(value) { return 40 + 250 * (value - low) / (high - low); }
    function y(value) { return 270 - 250 * (value - low) / (high - low); }
    // A difference that is 0 as printed is a tie and left out.
    var apart = a.map(function (value, i) { return value - b[i]; }).filter(function (d) { return Number(shown(d)) !== 0; });
    var better = apart.filter(function (d) { return m.up ? d > 0 : d < 0; }).length, ties = a.length - apart.length;
    var words = "A is better for " + better + " of " + apart.length + " users" + (ties ? ", " + ties + " tied" : "");
    var svg = drawn("svg", { "class": "scatter", viewBox: "0 0 300 300", role: "img", "aria-label": words });
    svg.appendChild(drawn("path", { "class": "axis", d: "M40 20V270H290" }));
    svg.appendChild(drawn("path", { "class": "diagonal", d: "M40 270L290 20" }));
    a.forEach(function (value, i) {
      var dot = drawn("circle", { "class": "dot", cx: x(value).toFixed(1), cy: y(b[i]).toFixed(1), r: 3.4 });
      var hint = drawn("title", {});
      hint.textContent = current.table.users[i] + ": A " + shown(value) + ", B " + shown(b[i]);
      dot.appendChild(hint);
      svg.appendChild(dot);
    });
    [["A " + m.name, 165, 292, "middle"], [shown(low), 40, 284, "middle"], [shown(high), 288, 284, "end"]].forEach(function (t) {
      var label = drawn("text", { x: t[1], y: t[2], "text-anchor": t[3] });
      label.textContent = t[0];
      svg.appendChild(label);
    });
    var side = drawn("text", { transform: "translate(14 145) rotate(-90)", "text-anchor": "middle" });
    side.textContent = "B " + m.name;
    svg.appendChild(side);
    figure.appendChild(svg);
    figure.appendChild(element("figcaption", words + "."));
  }

  function fill(select, rows) {
    select.textContent = "";
    rows.forEach(function (row) {
      var option = element("option", title(row));
      option.value = row.data;
      select.appendChild(option);
    });
  }

  function change(a, b) {
    var rows = tableOf().rows;
    ["a", "b"].forEach(function (id) { fill(fields[id], rows); });
    fields.a.selectedIndex = Math.max(0, rows.findIndex(function (row) { return row.data === a; }));
    var other = rows.findIndex(function (row) { return row.data === b; });
    if (other < 0) other = rows.findIndex(function (row, i) { return i !== fields.a.selectedIndex && (row.name === "position-prior" || i > fields.a.selectedIndex); });
    fields.b.selectedIndex = Math.max(0, other);
    compare();
  }

  function fromAddress() {
    var wanted = {};
    window.location.hash.slice(1).split("&").forEach(function (pair) {
      var at = pair.indexOf("=");
      if (at > 0) wanted[pair.slice(0, at)] = pair.slice(at + 1);
    });
    var at = board.tables.findIndex(function (table) { return table.key === wanted.t; });
    fields.task.selectedIndex = Math.max(0, at);
    change(wanted.a, wanted.b);
  }

  board.tables.forEach(function (table) {
    var option = element("option", table.title);
    option.value = table.key;
    fields.task.appendChild(option);
  });
  fields.task.addEventListener("change", function () { change(); });
  fields.a.addEventListener("change", compare);
  fields.b.addEventListener("change", compare);
  metric.addEventListener("change", users);
  document.getElementById("swap").addEventListener("click", function () {
    var kept = fields.a.selectedIndex;
    fields.a.selectedIndex = fields.b.selectedIndex;
    fields.b.selectedIndex = kept;
    compare();
  });
  window.addEventListener("hashchange", fromAddress);
  document.getElementById("pick").hidden = false;
  fromAddress();
})();
