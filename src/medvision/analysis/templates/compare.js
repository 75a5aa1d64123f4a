"use strict";
// Two runs chosen: their paired differences, each as a number, an interval beside 0 and a word.
(() => {
  const data = page.island("comparison");
  const section = document.getElementById("comparison");
  if (!data || !section) return;
  const [first, second, by] = ["compare-a", "compare-b", "compare-by"].map((id) => document.getElementById(id));
  const body = section.querySelector("tbody");

  // A pair is kept once; seen from the other side it is turned about 0.
  const negated = (value) => (value === null ? null : -value);
  const seenFrom = (row, a, b) => {
    if (row.a === a && row.b === b) return row;
    if (row.a !== b || row.b !== a) return null;
    return { ...row, value: negated(row.value), low: negated(row.high), high: negated(row.low) };
  };

  const words = (row) => {
    if (row.verdict === "not_enough" || row.value === null) return "too few to tell";
    if (row.verdict === "found") return `${row.value > 0 ? "A" : "B"} is better`;
    return row.equivalent ? "equivalent" : "not distinguishable";
  };

  const bar = (row, reach) => {
    const picture = page.shape("svg", { viewBox: "-104 -10 208 20", width: 208, height: 20, "aria-hidden": "true" });
    picture.append(page.shape("line", { x1: 0, x2: 0, y1: -10, y2: 10, class: "zero" }));
    if (row.value === null || row.low === null) return picture;
    const [low, value, high] = [row.low, row.value, row.high].map((one) => (100 * one) / reach);
    const kind = row.verdict === "found" ? (row.value > 0 ? "first" : "second") : "tie";
    picture.append(page.shape("line", { x1: low, x2: high, y1: 0, y2: 0, class: kind }));
    picture.append(page.shape("circle", { cx: value, cy: 0, r: 4, class: kind }));
    return picture;
  };

  const draw = () => {
    const [a, b] = [Number(first.value), Number(second.value)];
    const rows = data.rows.map((row) => seenFrom(row, a, b)).filter((row) => row && (row.by === "" || by.value === "" || row.by === by.value));
    const lines = [];
    for (const task of new Set(rows.map((row) => row.task))) {
      const own = rows.filter((row) => row.task === task);
      const ends = own.flatMap((row) => [row.low, row.high]).filter((end) => end !== null).map(Math.abs);
      const reach = Math.max(...ends, 0) || 1;
      lines.push(page.make("tr", { class: "new-group" }, page.make("th", { scope: "rowgroup", colspan: 5 }, `${task}: ${own[0].measure}`)));
      for (const row of own) {
        const interval = row.low === null ? "" : `${page.number(row.low, 3)} to ${page.number(row.high, 3)}`;
        lines.push(page.make("tr", {},
          page.make("td", { class: "group" }, page.make("bdi", {}, row.by ? `${row.by}: ${row.group}` : "all questions")),
          page.make("td", { class: "num" }, page.number(row.value, 3), page.make("span", { class: "interval" }, interval)),
          page.make("td", { class: "difference" }, bar(row, reach)),
          page.make("td", { class: "num" }, `${row.n} (${row.subjects})`),
          page.make("td", {}, words(row)),
        ));
      }
    }
    body.replaceChildren(...lines);
    const told = section.querySelector(".empty");
    told.textContent = a === b ? "Choose two different runs." : "These two were not asked the same questions.";
    told.hidden = lines.length > 0;
    section.querySelector("table").hidden = lines.length === 0;
  };

  data.runs.forEach((name, at) => {
    first.append(page.make("option", { value: at }, name));
    second.append(page.make("option", { value: at }, name));
  });
  for (const name of new Set(data.rows.map((row) => row.by))) {
    if (name) by.append(page.make("option", { value: name }, name));
  }
  [first.value, second.value] = [String(data.rows[0].a), String(data.rows[0].b)];
  for (const select of [first, second, by]) select.addEventListener("change", draw);
  document.getElementById("compare-swap").addEventListener("click", () => {
    [first.value, second.value] = [second.value, first.value];
    draw();
  });
  draw();
})();
