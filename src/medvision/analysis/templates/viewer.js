"use strict";
// The case browser: filters, list, one picture with every model's answer, question and replies.
(() => {
  const at = (id) => document.getElementById(id);
  const SCORE_TITLE = {
    iou: "IoU", precision: "precision", recall: "recall", f1: "F1", absolute_error: "absolute error",
    relative_error: "relative error", nmae_frac: "error / image diagonal",
  };
  const state = { model: 0, other: null, current: -1, repeat: 0, detail: null, drawn: new Set(), truth: true, outline: true, found: null };
  let data, cases, list, picture;

  const option = (value, words) => page.make("option", { value }, words);
  const nameOf = (model) => page.make("bdi", {}, data.models[model].name);
  const colourOf = (model) => data.colours.answers[model % data.colours.answers.length];
  const unitOf = (entry) => (entry.unit === "°" ? "°" : ` ${entry.unit}`);

  const numbers = (values, entry) => {
    if (!values.length) return "–";
    const digits = entry.unit === "relative" ? 4 : 2;
    const named = values.map((value, place) => {
      const name = entry.components[place];
      return (name ? `${name} ` : "") + Number(value.toFixed(digits));
    });
    return named.join(", ") + (entry.unit === "relative" ? " (relative, lower-left origin)" : unitOf(entry));
  };

  // --- filters and order -------------------------------------------------------------------

  const filterSelects = () => [...at("case-filters").querySelectorAll("select[data-word]")];
  const percent = (id) => (at(id).value === "" ? null : Number(at(id).value) / 100);

  const wanted = () => ({
    words: Object.fromEntries(filterSelects().filter((one) => one.value !== "").map((one) => [one.dataset.word, one.value.slice(1)])),
    model: state.model, other: state.other, outcome: at("case-outcome").value.slice(1),
    least: percent("case-least"), most: percent("case-most"), found: state.found,
  });

  const fillOutcomes = () => {
    const before = at("case-outcome").value;
    const { values } = data.answers[state.model].outcome;
    at("case-outcome").replaceChildren(option("", "all"), ...values.map((value) => option(`=${value}`, value)));
    at("case-outcome").value = values.includes(before.slice(1)) ? before : "";
  };

  const refresh = () => {
    const asked = wanted();
    const by = at("case-sort").value;
    const places = cases.sorted(cases.matching(asked), by, at("case-descending").getAttribute("aria-pressed") === "true", asked);
    list.show(places);
    at("case-count").textContent = `${places.length} of ${cases.n} cases`;
    at("case-none").hidden = places.length > 0;
    if (!places.includes(state.current)) show(places.length ? places[0] : -1);
    else tellPlace();
  };

  let searches = 0;
  const search = async () => {
    const words = at("case-search").value.trim();
    const mine = ++searches;
    const found = words === "" ? null : await cases.search(words);
    if (mine !== searches) return; // a later search is on its way
    state.found = found;
    refresh();
  };

  const reset = () => {
    for (const select of filterSelects()) select.value = "";
    for (const id of ["case-outcome", "case-least", "case-most", "case-search"]) at(id).value = "";
    searches += 1;
    state.found = null;
    refresh();
  };

  // --- list --------------------------------------------------------------------------------

  const item = (place, kind) => {
    const found = cases.answer(place, state.model);
    const chip = page.make("span", { class: !found || found.outcome === "ok" ? "chip" : "chip failed" }, cases.score(place, state.model));
    if (state.other !== null) {
      const by = cases.difference(place, state.model, state.other);
      if (by !== null) chip.append(` (${by > 0 ? "+" : ""}${page.number(by, 2)})`);
    }
    const name = page.make("bdi", { class: "what" }, kind === "list" ? cases.word("name", place) : cases.title(place));
    if (kind === "list") return page.make("div", { class: "row" }, name, chip, page.make("bdi", { class: "where" }, cases.slice(place)));
    const address = cases.picture(place, { side: 128 });
    const image = address ? page.make("img", { src: address, alt: "", loading: "lazy" }) : page.make("span", { class: "absent" }, "no picture");
    return page.make("div", { class: "row" }, image, name, chip);
  };

  const tellPlace = () => {
    const place = list.at();
    at("case-place").textContent = place < 0 ? `– of ${list.places.length}` : `${place + 1} of ${list.places.length}`;
  };

  // --- picture -----------------------------------------------------------------------------

  const replyOf = (entry, model) => entry.answers[model]?.[model === state.model ? state.repeat : 0] ?? null;

  const drawPicture = () => {
    const entry = state.detail;
    const layers = [{ shapes: entry.furniture, name: "furniture" }];
    if (state.outline && entry.outline) layers.push({ shapes: [["o", entry.outline]], name: "outline", colour: data.colours.truth });
    if (state.truth) layers.push({ shapes: entry.drawn, name: "truth", colour: data.colours.truth });
    const shown = [...state.drawn].filter((model) => model !== state.model).sort((a, b) => a - b);
    // The chosen model's answer lies on top, and only its captions are written.
    if (state.drawn.has(state.model)) shown.push(state.model);
    for (const model of shown) {
      const reply = replyOf(entry, model);
      if (!reply) continue;
      const name = `answer${reply.recovered.length ? " recovered" : ""}${model === state.model ? " chosen" : ""}`;
      layers.push({ shapes: reply.drawn, name, colour: colourOf(model), words: model === state.model });
    }
    picture.draw({
      title: `${cases.title(state.current)}, ${cases.where(state.current)}`, width: entry.width, height: entry.height,
      address: cases.picture(state.current, { window: data.served ? chosenWindow() : null }), absent: cases.noPicture(state.current), layers,
    });
    applyWindow();
  };

  const whatIsDrawn = (reply, model) => {
    if (!reply) return "not asked";
    const letters = new Set(reply.drawn.map(([letter]) => letter));
    const kind = letters.has("b") ? "box" : letters.has("e") ? "axes" : letters.has("l") ? "line" : "";
    const not = reply.recovered.length ? ", recovered, not scored" : "";
    if (kind) return (state.drawn.has(model) ? `${kind} drawn` : `${kind} hidden`) + not;
    if (letters.has("t")) return (model === state.model ? "written on the picture" : "a number, nothing to draw") + not;
    return reply.outcome === "ok" ? "a number, nothing to draw" : "nothing to draw";
  };

  const check = (checked, label, onChange) => {
    const input = page.make("input", { type: "checkbox", "aria-label": label });
    input.checked = checked;
    input.addEventListener("change", () => {
      onChange(input.checked);
      if (!state.detail) return; // of a case that is on its way
      drawPicture();
      legend();
    });
    return input;
  };

  // Every model: whether and in which colour it is drawn, what that is, and how it did.
  const legend = () => {
    const entry = state.detail;
    const focused = [...at("case-legend").querySelectorAll("input, button")].indexOf(document.activeElement);
    const swatch = (colour, kind) => {
      const made = page.make("span", { class: `swatch ${kind}` });
      made.style.setProperty("--own", colour);
      return made;
    };
    const row = (box, sign, name, drawn, score, current) => page.make("tr", { "aria-current": current ? "true" : null },
      page.make("td", {}, box), page.make("td", {}, sign), page.make("th", { scope: "row" }, name), page.make("td", {}, drawn), page.make("td", { class: "score" }, score));
    const truthKind = entry.drawn.some(([letter]) => letter !== "t") ? "drawn" : "nothing to draw";
    const rows = [row(check(state.truth, "Draw the truth", (on) => { state.truth = on; }), swatch(data.colours.truth, "truth"), "truth", truthKind, entry.unit === "relative" ? "" : numbers(entry.truth, entry), false)];
    if (entry.outline) rows.push(row(check(state.outline, "Draw the outline of the mask", (on) => { state.outline = on; }), swatch(data.colours.truth, "outline"), "outline of the mask", "drawn", "", false));
    data.models.forEach((model, place) => {
      const reply = replyOf(entry, place);
      const choose = page.make("button", { type: "button", class: "plain", "aria-pressed": String(place === state.model) }, nameOf(place));
      choose.addEventListener("click", () => chooseModel(place));
      const toggle = (on) => { if (on) state.drawn.add(place); else state.drawn.delete(place); };
      rows.push(row(check(state.drawn.has(place), `Draw ${model.name}`, toggle), swatch(colourOf(place), "answer"), choose, whatIsDrawn(reply, place),
        page.make("span", { class: !reply || reply.outcome === "ok" ? "" : "failed" }, cases.score(state.current, place)), place === state.model));
    });
    at("case-legend").replaceChildren(page.make("caption", {}, "What is drawn; choose a model to read its reply."), page.make("tbody", {}, ...rows));
    // Its rows are new: whoever was on one of them with the keyboard stays there.
    if (focused >= 0) at("case-legend").querySelectorAll("input, button")[focused]?.focus();
  };

  // --- window and level --------------------------------------------------------------------

  const chosenWindow = () => {
    const [width, level] = [Number(at("case-width").value), Number(at("case-level").value)];
    if (at("case-width").value === "" || at("case-level").value === "" || !(width > 0)) return null;
    return [width, level];
  };

  const applyWindow = () => {
    const own = state.detail.window;
    at("case-window").hidden = !own;
    const asked = chosenWindow();
    if (!own || data.served) return;
    if (!asked) { picture.levels(0, 1); return; }
    const [[width0, level0], [width, level]] = [own, asked];
    const low = (level - width / 2 - (level0 - width0 / 2)) / width0;
    picture.levels(low, low + width / width0);
  };

  const windowChanged = () => {
    if (!state.detail) return;
    if (data.served) picture.address(cases.picture(state.current, { window: chosenWindow() }));
    else applyWindow();
  };

  // --- text --------------------------------------------------------------------------------

  const rows = (pairs) => page.make("table", {}, page.make("tbody", {}, ...pairs.map(([name, value, kind]) =>
    page.make("tr", {}, page.make("th", { scope: "row" }, name), page.make("td", { class: kind }, page.make("bdi", {}, value))))));

  const scoreRows = (entry, answer) => Object.entries(answer.scores).map(([name, value]) => {
    if (name === "relative_error" || name === "nmae_frac") return [SCORE_TITLE[name], `${page.number(100 * value, 3)} %`];
    return [SCORE_TITLE[name], page.number(value) + (name === "absolute_error" ? unitOf(entry) : "")];
  });

  const answerRows = (entry, answer) => {
    const failed = answer.outcome !== "ok";
    const found = [
      ["outcome", answer.outcome + (answer.response !== "ok" && answer.response !== answer.outcome ? ` (${answer.response})` : ""), failed ? "failed" : "fine"],
      ...(answer.message ? [["server said", answer.message]] : []),
      ["truth", numbers(entry.truth, entry)],
      ["read", numbers(answer.values, entry)],
    ];
    if (answer.recovered.length) found.push(["recovered, not scored", numbers(answer.recovered, entry)]);
    return [...found, ...scoreRows(entry, answer)];
  };

  const repeats = (entry) => {
    const asked = entry.answers[state.model] ?? [];
    if (asked.length < 2) return null;
    const select = page.make("select", {}, ...asked.map((answer, place) => option(place, `${answer.repeat}: ${answer.outcome}`)));
    select.value = state.repeat;
    select.addEventListener("change", () => { state.repeat = Number(select.value); draw(); });
    return page.make("p", {}, page.make("label", {}, "Repeat ", select));
  };

  const text = (kind, words) => page.make("pre", { class: kind, tabindex: 0, role: "group", "aria-label": kind, dir: "auto" }, words);

  const reply = (answer) => {
    if (answer.text === null) return page.make("p", { class: "failed" }, "no reply");
    return answer.text === "" ? page.make("p", { class: "muted" }, "(an empty reply)") : text("reply", answer.text);
  };

  const drawText = () => {
    const entry = state.detail;
    const answer = replyOf(entry, state.model);
    const parts = [
      page.make("h3", {}, page.make("bdi", {}, cases.title(state.current))),
      page.make("p", { class: "picked" }, page.make("bdi", {}, cases.where(state.current)), entry.reasons ? page.make("span", {}, ` · ${entry.reasons.join("; ")}`) : null),
      repeats(entry),
    ];
    if (answer) {
      parts.push(rows(answerRows(entry, answer)));
      parts.push(page.make("h4", {}, "Reply of ", nameOf(state.model)), reply(answer));
      if (answer.prompt !== null) parts.push(page.make("details", { open: "" }, page.make("summary", {}, "Prompt"), text("prompt", entry.prompts[answer.prompt])));
    } else {
      parts.push(page.make("p", { class: "muted" }, "This model was not asked this question."), rows([["truth", numbers(entry.truth, entry)]]));
    }
    parts.push(page.make("details", {}, page.make("summary", {}, "About the image"), rows(entry.facts)));
    at("case-text").replaceChildren(...parts.filter(Boolean));
  };

  const draw = () => {
    if (!state.detail) return;
    drawPicture();
    legend();
    drawText();
  };

  // --- moving about ------------------------------------------------------------------------

  let asked = 0;
  const show = async (place) => {
    const mine = ++asked;
    // Until its own detail is here, nothing of the case before is drawn under its name.
    if (place !== state.current) { state.repeat = 0; state.detail = null; picture.reset(); }
    state.current = place;
    list.choose(place);
    tellPlace();
    if (place < 0) {
      state.detail = null;
      for (const id of ["case-picture", "case-text", "case-legend"]) at(id).replaceChildren();
      return;
    }
    try {
      const detail = await cases.detail(place);
      if (mine !== asked) return; // another case was chosen meanwhile
      state.detail = detail;
      draw();
    } catch (error) {
      if (mine !== asked) return;
      state.detail = null;
      at("case-text").replaceChildren(page.make("p", { class: "warning" }, `This case could not be fetched: ${error.message}`));
    }
    at("viewer").dataset.shown = place;
  };

  const choose = (place) => {
    show(place);
    // The address of what is seen, to be sent to others; the way back stays free of every step.
    // In a notebook's frame the page has no address that it could change.
    if (location.protocol !== "about:") history.replaceState(null, "", `#case=${encodeURIComponent(data.id[place])}`);
  };

  const step = (by) => {
    const count = list.places.length;
    if (count) choose(list.places[(Math.max(0, list.at()) + by + count) % count]);
  };

  const chooseModel = (place) => {
    const { length } = data.models;
    const hidden = state.drawn.size <= 1;
    if (hidden) state.drawn.clear();
    state.model = (place + length) % length;
    state.drawn.add(state.model);
    state.repeat = 0;
    at("case-model").value = state.model;
    fillOutcomes();
    refresh();
    list.again();
    draw();
  };

  const openPlace = (place) => {
    reset();
    choose(place);
    list.show(list.places);
    at("cases").scrollIntoView();
  };

  page.hasCase = (id) => Boolean(cases?.placeOf.has(id));
  page.openCase = (id, modelName) => {
    const model = data.models.findIndex((candidate) => candidate.name === modelName);
    if (model >= 0 && model !== state.model) chooseModel(model);
    openPlace(cases.placeOf.get(id));
    at("viewer").focus({ preventScroll: true });
  };

  const fromAddress = () => {
    if (!location.hash.startsWith("#case=")) return;
    let id = null;
    try { id = decodeURIComponent(location.hash.slice("#case=".length)); } catch { return; }
    if (page.hasCase(id)) openPlace(cases.placeOf.get(id));
    else at("case-note").textContent = `This page has no case ${id}.`;
  };

  // --- start -------------------------------------------------------------------------------

  const fillControls = () => {
    const titles = new Map(data.tasks);
    for (const [name, column] of Object.entries(data.words)) {
      if (!column.filter || column.values.length < 2 || column.values.length > 2000) continue;
      const words = column.values.map((value) => option(`=${value}`, name === "task" ? titles.get(value) ?? value : value));
      const select = page.make("select", { "data-word": name }, option("", "all"), ...words);
      select.addEventListener("change", refresh);
      at("case-filters").insertBefore(page.make("label", {}, `${column.title[0].toUpperCase()}${column.title.slice(1)} `, select), at("case-filters-end"));
    }
    const columns = Object.entries(data.words).map(([name, column]) => option(name, column.title));
    at("case-sort").append(option("error", "error"), option("difference", "difference to the other model"), option("outcome", "outcome"),
      option("size", "size of the box"), option("slice", "slice"), ...columns, option("order", "as picked"));
    at("case-model").append(...data.models.map((model, place) => option(place, model.name)));
    at("case-other").append(option("", "none"), ...data.models.map((model, place) => option(place, model.name)));
    at("case-preset").append(option("", "as shown to models"), ...Object.entries(data.ct_windows).map(([name, window]) => option(window.join(), `${name} (${window.join(" / ")})`)), option("own", "own"));
    const apart = data.models.map((_, place) => place).filter((place) => !data.models[place].is_baseline);
    state.drawn = new Set(apart.length ? apart.slice(0, 6) : [0]);
  };

  const listen = () => {
    at("case-model").addEventListener("change", (event) => chooseModel(Number(event.target.value)));
    at("case-other").addEventListener("change", (event) => {
      state.other = event.target.value === "" ? null : Number(event.target.value);
      if (state.other !== null) at("case-sort").value = "difference";
      refresh();
      list.again();
    });
    for (const id of ["case-outcome", "case-sort"]) at(id).addEventListener("change", refresh);
    for (const id of ["case-least", "case-most"]) at(id).addEventListener("input", refresh);
    let wait = null;
    at("case-search").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(search, 120); });
    at("case-reset").addEventListener("click", reset);
    const pressed = (button, on) => button.setAttribute("aria-pressed", String(on));
    at("case-descending").addEventListener("click", (event) => { pressed(event.currentTarget, event.currentTarget.getAttribute("aria-pressed") !== "true"); refresh(); });
    at("case-grid").addEventListener("click", (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      pressed(event.currentTarget, on);
      list.as(on ? "grid" : "list");
    });
    at("case-previous").addEventListener("click", () => step(-1));
    at("case-next").addEventListener("click", () => step(1));
    at("zoom-in").addEventListener("click", () => picture.zoomBy(1.5));
    at("zoom-out").addEventListener("click", () => picture.zoomBy(1 / 1.5));
    at("zoom-all").addEventListener("click", () => picture.reset());
    at("show-pixels").addEventListener("change", (event) => at("case-picture").classList.toggle("pixels", event.target.checked));
    at("case-preset").addEventListener("change", (event) => {
      if (event.target.value !== "own") [at("case-width").value, at("case-level").value] = event.target.value === "" ? ["", ""] : event.target.value.split(",");
      windowChanged();
    });
    for (const id of ["case-width", "case-level"]) at(id).addEventListener("input", () => { at("case-preset").value = "own"; windowChanged(); });
    // Only where the focus is in the browser, and not in a field that has a use for the key.
    at("viewer").addEventListener("keydown", (event) => {
      const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), "[": () => chooseModel(state.model - 1), "]": () => chooseModel(state.model + 1) };
      const bare = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
      if (!(event.key in keys) || !bare || event.target.closest("input, select, textarea, pre, summary")) return;
      event.preventDefault();
      keys[event.key]();
    });
    window.addEventListener("hashchange", fromAddress);
  };

  const start = () => {
    cases = page.cases(data);
    at("viewer").hidden = false;
    picture = page.casePicture(at("case-picture"));
    list = page.caseList(at("case-list"), { item, onChoose: choose });
    fillControls();
    list.as("list");
    fillOutcomes();
    listen();
    refresh();
    fromAddress();
  };

  const load = async () => {
    data = page.island("cases");
    if (data.served) data = { ...(await (await fetch("cases.json", { credentials: "omit" })).json()), served: true };
    if (data.id.length) start();
    page.preparePlots();
    document.documentElement.dataset.ready = "true";
  };
  load().catch((error) => {
    page.errors.push(error.message);
    document.documentElement.dataset.errors = page.errors.join(" | ");
    at("case-note").textContent = `The cases could not be loaded: ${error.message}`;
  });
})();
