"use strict";
// Truth against answer, and detection by target size.
(() => {
  const data = page.island("plots");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const ON_LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a400"];
  const ON_DARK = ["#5cb8ff", "#ff9350", "#35d3a2", "#f0a6d0", "#ffc94d", "#a5dcff", "#e6d84a"];
  const printing = () => document.documentElement.classList.contains("printing");
  const colour = (place) => (dark.matches && !printing() ? ON_DARK : ON_LIGHT)[place % ON_LIGHT.length];
  const GREYS = ["#8a94a3", "#5f6b7c", "#a9b2be", "#747f8f"];
  const config = { displaylogo: false, responsive: true, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };

  const axis = (title) => ({
    title: { text: title, standoff: 8, font: { size: 13 } }, gridcolor: page.colour("--grid"), zeroline: false,
    linecolor: page.colour("--strong-line"), ticks: "outside", tickcolor: page.colour("--strong-line"),
  });

  // A command as a shell takes it, whatever the id holds.
  const renderHint = (model, task, id) => {
    const command = data.render[model]?.[task];
    if (!command) return id;
    return "To draw it: " + command + " '" + id.replaceAll("'", "'\\''") + "'";
  };

  const unitOf = (plot) => ({ relative: "", deg: "°" })[plot.unit] ?? ` ${plot.unit_text}`;

  const layout = (extra) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { family: page.colour("--font"), size: 13, color: page.colour("--text") },
    margin: { l: 64, r: 16, t: 12, b: 52 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    hoverlabel: { align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: page.colour("--strong-line"), activecolor: page.colour("--text") },
    ...extra,
  });

  // --- truth against answer -------------------------------------------------------------------

  // All answers of all models are on one scale; beyond 1.5 × the largest truth they are held at
  // the edge, on logarithmic axes beyond 100 × either end of the truths.
  const positives = (values) => values.filter((value) => value > 0);
  const truthsOf = (plot) => plot.samples.flatMap((sample) => sample[2]);
  const answersOf = (plot) => plot.models.flatMap((model) => model.points.map((point) => point[2]));
  const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

  const bounds = (plot, log) => {
    if (plot.unit === "relative") return { x: [-0.02, 1.02], y: [-0.02, 1.02] };
    const truths = truthsOf(plot), answers = answersOf(plot);
    const high = most(truths);
    if (!log) {
      const top = plot.unit === "deg" ? 92 : Math.min(1.5 * high, Math.max(1.08 * high, 1.05 * most(answers)));
      return { x: [-0.02 * high, 1.08 * high], y: [-0.02 * top, top] };
    }
    const low = least(positives(truths));
    const bottom = Math.max(least(positives(answers)), low / 100), top = Math.min(most(answers), high * 100);
    return {
      x: [low / 1.3, high * 1.3].map(Math.log10),
      y: [Math.min(low, bottom) / 1.3, Math.max(high, top) * 1.3].map(Math.log10),
    };
  };

  const traces = (plot, model, log, { y: range }) => {
    const top = log ? 10 ** range[1] : range[1];
    const bottom = log ? 10 ** range[0] : range[0];
    let outside = 0;
    const made = plot.components.map((component, place) => {
      const points = model.points.filter((point) => point[1] === place);
      const held = points.map((point) => Math.min(Math.max(point[2], bottom), top));
      const cut = points.map((point, index) => held[index] !== point[2]);
      outside += cut.filter(Boolean).length;
      return {
        type: "scatter", mode: "markers", name: component || "answers", showlegend: component !== "",
        x: points.map((point) => plot.samples[point[0]][2][place]), y: held,
        customdata: points.map((point) => plot.samples[point[0]][0]),
        text: points.map((point) => {
          const [id, name, truth] = plot.samples[point[0]];
          const unit = unitOf(plot);
          const shown = page.hasCase(id) ? "click to see the case" : "not among the cases of this page";
          return `<b>${page.plain(name)}</b> ${component}<br>truth ${page.number(truth[place])}${unit}, answer `
            + `${page.number(point[2])}${unit}<br>${page.plain(id)}<br><i>${shown}</i>`;
        }),
        hovertemplate: "%{text}<extra></extra>",
        marker: {
          size: points.map((point) => (page.hasCase(plot.samples[point[0]][0]) ? 9 : 6)),
          color: colour(place), opacity: 0.6,
          symbol: cut.map((isCut, index) => (isCut ? (points[index][2] > top ? "triangle-up" : "triangle-down") : "circle")),
          line: { width: points.map((point) => (page.hasCase(plot.samples[point[0]][0]) ? 1.5 : 0)), color: page.colour("--text") },
        },
      };
    });
    return { made, outside };
  };

  const caption = (plot, model, outside) => {
    const several = plot.components.length > 1;
    const unit = unitOf(plot);
    const parts = [
      `${plot.title}: each point is one ${several ? "number of a " : ""}parsed answer; n = ${model.n_parsed} parsed of ${model.n} samples.`,
      "The line is answer = truth.",
    ];
    if (plot.n_samples > plot.samples.length) {
      parts.push(`${plot.samples.length} of ${plot.n_samples} samples are drawn, the same for every model.`);
    }
    if (model.n_parsed) parts.push(`${model.n_distinct} distinct answers.`);
    if (model.n_often > 1) {
      parts.push(`The most frequent, ${model.often.map((value) => page.number(value)).join(", ")}${unit}, was given ${model.n_often} times.`);
    }
    if (outside) parts.push(`${outside} points beyond the axis are drawn as triangles on its edge.`);
    parts.push("Ringed points are cases of this page.");
    return parts.join(" ");
  };

  const drawTruth = (figure) => {
    const plot = data.truth[Number(figure.dataset.plot)];
    const model = plot.models[Number(figure.querySelector(".pick-model").value)];
    const log = figure.querySelector(".pick-scale").value === "log";
    const range = bounds(plot, log);
    const { made, outside } = traces(plot, model, log, range);
    const ends = log ? range.x.map((value) => 10 ** value) : range.x;
    const identity = {
      type: "scatter", mode: "lines", x: ends, y: ends, hoverinfo: "skip", showlegend: false,
      line: { color: page.colour("--muted"), width: 1, dash: "dot" },
    };
    const type = log ? "log" : "linear";
    const unit = plot.unit_text;
    const target = figure.querySelector(".plot");
    Plotly.react(target, [identity, ...made], layout({
      xaxis: { ...axis(`truth (${unit})`), type, range: range.x },
      yaxis: { ...axis(`answer of ${page.plain(model.name)} (${unit})`), type, range: range.y },
    }), config);
    target.removeAllListeners?.("plotly_click");
    target.on("plotly_click", (event) => {
      const id = event.points[0].customdata;
      if (id !== undefined && page.hasCase(id)) page.openCase(id, model.name);
      else figure.querySelector(".hint").textContent = "This case is not on the page. " + renderHint(model.name, plot.task, id);
    });
    figure.querySelector("figcaption").textContent = caption(plot, model, outside);
  };

  const wide = (plot) => {
    const values = positives([...truthsOf(plot), ...answersOf(plot)]);
    return ["mm", "mm2"].includes(plot.unit) && values.length > 0 && most(values) / least(values) > 60;
  };

  const prepare = (figure) => {
    const plot = data.truth[Number(figure.dataset.plot)];
    const models = figure.querySelector(".pick-model");
    plot.models.forEach((model, place) => models.append(page.make("option", { value: place }, model.name)));
    const scale = figure.querySelector(".pick-scale");
    if (plot.unit === "relative" || plot.unit === "deg") scale.closest("label").hidden = true;
    if (wide(plot)) scale.value = "log";
    for (const select of [models, scale]) select.addEventListener("change", () => drawTruth(figure));
  };

  // --- detection by target size ---------------------------------------------------------------

  const drawSizes = (target) => {
    let models = 0, baselines = 0;
    const apart = data.size.models.some((model) => !model.is_baseline);
    const made = data.size.models.map((model, place, all) => {
      const own = apart && model.is_baseline ? GREYS[baselines++ % GREYS.length] : colour(models++);
      const offset = (place - (all.length - 1) / 2) * Math.min(0.1, 0.6 / all.length);
      const bins = model.bins.filter((entry) => entry.value !== null && entry.value !== undefined);
      const spread = (end, sign) => bins.map((entry) => (entry[end] === null || entry[end] === undefined ? 0 : sign * (entry[end] - entry.value)));
      return {
        type: "scatter", mode: "lines+markers", name: page.plain(model.name),
        x: bins.map((entry) => data.size.bins.indexOf(entry.bin) + offset), y: bins.map((entry) => entry.value),
        text: bins.map((entry) => `${page.plain(model.name)}<br>${page.plain(entry.bin)}: ${page.number(entry.value, 3)}, n = ${entry.n}`),
        hovertemplate: "%{text}<extra></extra>",
        line: { color: own, width: 1.2, dash: model.is_baseline ? "dot" : "solid" },
        marker: { color: own, size: 8, symbol: model.is_baseline ? "diamond" : "circle" },
        error_y: { type: "data", symmetric: false, array: spread("high", 1), arrayminus: spread("low", -1), color: own, thickness: 1.2, width: 3 },
      };
    });
    Plotly.react(target, made, layout({
      margin: { l: 56, r: 8, t: 8, b: 48 },
      legend: { orientation: "h", x: 0, y: -0.22, yanchor: "top", font: { size: 12 } },
      xaxis: { ...axis("target size (% of the image area)"), tickvals: data.size.bins.map((_, place) => place), ticktext: data.size.bins.map(page.plain), range: [-0.5, data.size.bins.length - 0.5], showgrid: false },
      yaxis: { ...axis("mean IoU, zero-filled (0–1)"), range: [0, 1.02] },
    }), { ...config, displayModeBar: false });
  };

  // --- drawn when first near the window, and again when the colours change ---------------------

  page.preparePlots = () => {
    const jobs = new Map();
    for (const figure of document.querySelectorAll("figure.truth")) {
      prepare(figure);
      jobs.set(figure, () => drawTruth(figure));
    }
    const sizes = document.getElementById("size-plot");
    if (sizes && data.size) jobs.set(sizes, () => drawSizes(sizes));
    const drawn = new Set();
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting || drawn.has(entry.target)) continue;
        drawn.add(entry.target);
        jobs.get(entry.target)();
      }
    }, { rootMargin: "600px" });
    for (const target of jobs.keys()) watch.observe(target);
    const redraw = () => drawn.forEach((target) => jobs.get(target)());
    dark.addEventListener("change", redraw);
    const all = () => {
      jobs.forEach((draw) => draw());
      for (const target of document.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(target);
    };
    window.addEventListener("beforeprint", all);
    window.addEventListener("afterprint", all);
  };
})();
