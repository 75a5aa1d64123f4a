"use strict";
// For paper: everything opened but manifests, light colours, one column as wide as A4 and letter both have room
// for, and each table that is wider made smaller. What was closed is closed again afterwards.
(() => {
  const root = document.documentElement;
  let opened = [];

  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .run)")];
    for (const details of opened) details.open = true;
    root.classList.add("printing");
    for (const table of document.querySelectorAll(".scroll > table, .columns table")) {
      const room = table.parentElement.clientWidth;
      if (table.scrollWidth > room) table.style.zoom = room / table.scrollWidth;
    }
  });

  window.addEventListener("afterprint", () => {
    root.classList.remove("printing");
    for (const details of opened) details.open = false;
    for (const table of document.querySelectorAll("table")) table.style.removeProperty("zoom");
  });
})();
