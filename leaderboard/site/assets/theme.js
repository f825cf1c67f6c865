// Sets the chosen colours before anything is drawn. Without a choice the system's preference holds.
"use strict";
(function () {
  try {
    var chosen = localStorage.getItem("gazebench-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch (error) { /* no storage from a file: the choice then lasts for one page */ }
})();
