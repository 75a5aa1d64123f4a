"use strict";
// The case viewer: one sample's picture, drawing, question and every model's reply.
(() => {
  const data = page.island("cases");
  const byId = new Map(data.cases.map((entry) => [entry.id, entry]));
  const at = (id) => document.getElementById(id);
  const state = { task: "", model: 0, outcome: "", shown: [], current: null, repeat: 0 };
  const SCORE_TITLE = {
    iou: "IoU", precision: "precision", recall: "recall", f1: "F1", absolute_error: "absolute error",
    relative_error: "relative error", nmae_frac: "error / image diagonal",
  };

  page.hasCase = (id) => byId.has(id);

  const answerOf = (entry, model = state.model, repeat = 0) => entry.answers[model]?.[repeat] ?? null;

  const scoreText = (answer) => {
    if (!answer) return "not asked";
    if (answer.outcome !== "ok") return answer.outcome;
    if ("iou" in answer.scores) return `IoU ${answer.scores.iou.toFixed(2)}`;
    if ("relative_error" in answer.scores) return `${(100 * answer.scores.relative_error).toFixed(0)} % off`;
    return `off by ${page.number(answer.scores.absolute_error, 3)}`;
  };

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

  // --- list --------------------------------------------------------------------------------

  const rank = (entry) => {
    const answer = answerOf(entry);
    if (!answer) return 2e9;
    return answer.error === null ? 1e9 : answer.error;
  };

  const matching = () => data.cases
    .filter((entry) => entry.task === state.task)
    .filter((entry) => !state.outcome || answerOf(entry)?.outcome === state.outcome)
    .map((entry) => [rank(entry), entry])
    .sort(([a], [b]) => b - a)
    .map(([, entry]) => entry);

  const fillOutcomes = () => {
    const found = new Set(data.cases.filter((entry) => entry.task === state.task)
      .map((entry) => answerOf(entry)?.outcome).filter(Boolean));
    if (!found.has(state.outcome)) state.outcome = "";
    const options = [...found].sort().map((word) => page.make("option", { value: word }, word));
    at("case-outcome").replaceChildren(page.make("option", { value: "" }, "all"), ...options);
    at("case-outcome").value = state.outcome;
  };

  const listItem = (entry) => {
    const answer = answerOf(entry);
    const chip = page.make("span", { class: answer?.outcome === "ok" ? "chip" : "chip failed" }, scoreText(answer));
    const item = page.make("li", {},
      page.make("span", { class: "what" }, entry.name), chip,
      page.make("span", { class: "where" }, entry.title.slice(entry.name.length + 3)));
    item.addEventListener("click", () => show(entry));
    return item;
  };

  const refresh = () => {
    fillOutcomes();
    state.shown = matching();
    at("case-list").replaceChildren(...state.shown.map(listItem));
    if (!state.shown.length) at("case-list").append(page.make("li", {}, "No case with this outcome."));
    show(state.shown.includes(state.current) ? state.current : state.shown[0] ?? null);
  };

  // --- picture -----------------------------------------------------------------------------

  const picture = (entry, answer) => {
    const holder = at("case-picture");
    holder.innerHTML = entry.svg;
    const svg = holder.firstElementChild;
    const { width, height } = svg.viewBox.baseVal;
    const made = (tag, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    if (entry.picture === null) {
      const note = made("text", { x: 16, y: 48, class: "absent" });
      note.textContent = `no picture: ${entry.no_picture}`;
      svg.prepend(note);
    } else {
      svg.prepend(made("image", { width, height, preserveAspectRatio: "none", href: data.pictures[entry.picture] }));
    }
    at("case-legend").classList.toggle("truth-only", entry.task === "area");
    if (answer) svg.querySelector("g.answer").outerHTML = answer.svg;
  };

  // --- text --------------------------------------------------------------------------------

  const rows = (pairs) => page.make("table", {}, page.make("tbody", {}, ...pairs.map(([name, value, kind]) =>
    page.make("tr", {}, page.make("th", { scope: "row" }, name), page.make("td", { class: kind }, value)))));

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

  const allModels = (entry) => page.make("table", {},
    page.make("thead", {}, page.make("tr", {}, ...["model", "outcome", "read", "score"].map((name) => page.make("th", { scope: "col" }, name)))),
    page.make("tbody", {}, ...data.models.map((model, place) => {
      const answer = answerOf(entry, place);
      const row = page.make("tr", { class: "choose", "aria-current": String(place === state.model) },
        page.make("td", {}, model.name),
        page.make("td", { class: answer?.outcome === "ok" ? "word" : "word failed" }, answer?.outcome ?? "not asked"),
        page.make("td", {}, answer ? answer.values.map((value) => page.number(value)).join(", ") || "–" : "–"),
        page.make("td", { class: "word" }, answer?.outcome === "ok" ? scoreText(answer) : "–"));
      row.addEventListener("click", () => chooseModel(place));
      return row;
    })));

  const repeats = (entry) => {
    const asked = entry.answers[state.model] ?? [];
    if (asked.length < 2) return null;
    const select = page.make("select", {}, ...asked.map((answer, place) => page.make("option", { value: place }, `${answer.repeat}: ${answer.outcome}`)));
    select.value = state.repeat;
    select.addEventListener("change", () => { state.repeat = Number(select.value); draw(); });
    return page.make("p", {}, page.make("label", {}, "Repeat ", select));
  };

  const reply = (answer) => {
    if (answer.text === null) return page.make("p", { class: "failed" }, "no reply");
    return answer.text === "" ? page.make("p", { class: "muted" }, "(an empty reply)") : page.make("pre", { class: "reply" }, answer.text);
  };

  const texts = (entry, answer) => {
    const parts = [
      page.make("h3", {}, entry.name),
      page.make("p", { class: "picked" }, entry.reasons.length ? `Picked as ${entry.reasons.join("; ")}.` : "Picked to fill the range of errors."),
      repeats(entry),
    ];
    if (answer) {
      parts.push(rows(answerRows(entry, answer)));
      parts.push(page.make("h4", {}, `Reply of ${data.models[state.model].name}`), reply(answer));
    } else {
      parts.push(page.make("p", { class: "muted" }, "This model was not asked this question."), rows([["truth", numbers(entry.truth, entry)]]));
    }
    if (data.models.length > 1) parts.push(page.make("h4", {}, "All models"), allModels(entry));
    if (answer && answer.prompt !== null) {
      parts.push(page.make("details", { open: "" }, page.make("summary", {}, "Prompt"), page.make("pre", { class: "prompt" }, data.prompts[answer.prompt])));
    }
    parts.push(page.make("details", {}, page.make("summary", {}, "About the image"), rows(entry.facts)));
    at("case-text").replaceChildren(...parts.filter(Boolean));
  };

  const draw = () => {
    const entry = state.current;
    const answer = answerOf(entry, state.model, state.repeat);
    picture(entry, answer);
    texts(entry, answer);
  };

  const show = (entry) => {
    state.current = entry;
    state.repeat = 0;
    const place = state.shown.indexOf(entry);
    at("case-place").textContent = entry ? `${place + 1} of ${state.shown.length}` : "0 of 0";
    [...at("case-list").children].forEach((item, index) => {
      if (index === place) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    });
    if (!entry) {
      at("case-picture").replaceChildren();
      at("case-text").replaceChildren();
      return;
    }
    const item = at("case-list").children[place];
    const list = at("case-list");
    if (item) list.scrollTop = Math.max(0, item.offsetTop - list.offsetTop - list.clientHeight / 2);
    draw();
  };

  // --- moving about ------------------------------------------------------------------------

  const step = (by) => {
    const count = state.shown.length;
    if (count) show(state.shown[(state.shown.indexOf(state.current) + by + count) % count]);
  };

  const chooseModel = (place) => {
    state.model = (place + data.models.length) % data.models.length;
    at("case-model").value = state.model;
    refresh();
  };

  // A model that was not asked the task gives way to the first that was.
  const chooseTask = (task) => {
    const asked = (model) => data.cases.some((entry) => entry.task === task && entry.answers[model].length);
    state.task = task;
    if (!asked(state.model)) state.model = Math.max(0, data.models.findIndex((_, place) => asked(place)));
    at("case-model").value = state.model;
    refresh();
  };

  page.openCase = (id, modelName) => {
    const entry = byId.get(id);
    const model = data.models.findIndex((candidate) => candidate.name === modelName);
    state.task = entry.task;
    state.outcome = "";
    if (model >= 0) state.model = model;
    at("case-task").value = state.task;
    at("case-model").value = state.model;
    state.current = entry;
    refresh();
    at("cases").scrollIntoView();
    at("viewer").focus({ preventScroll: true });
  };

  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => chooseModel(state.model - 1), ArrowDown: () => chooseModel(state.model + 1) };

  const start = () => {
    const titles = new Map(data.tasks);
    const present = [...titles.keys()].filter((task) => data.cases.some((entry) => entry.task === task));
    at("case-task").append(...present.map((task) => page.make("option", { value: task }, titles.get(task))));
    at("case-model").append(...data.models.map((model, place) => page.make("option", { value: place }, model.name)));
    at("viewer").hidden = false;
    at("case-task").addEventListener("change", (event) => chooseTask(event.target.value));
    at("case-model").addEventListener("change", (event) => chooseModel(Number(event.target.value)));
    at("case-outcome").addEventListener("change", (event) => { state.outcome = event.target.value; refresh(); });
    at("case-previous").addEventListener("click", () => step(-1));
    at("case-next").addEventListener("click", () => step(1));
    at("show-overlay").addEventListener("change", (event) => at("case-picture").classList.toggle("bare", !event.target.checked));
    at("show-pixels").addEventListener("change", (event) => at("case-picture").classList.toggle("pixels", event.target.checked));
    document.addEventListener("keydown", (event) => {
      const inField = event.target.closest?.("input, select, textarea, pre, summary");
      const box = at("viewer").getBoundingClientRect();
      const inView = box.top < innerHeight * 0.8 && box.bottom > innerHeight * 0.2;
      const bare = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
      if (!(event.key in keys) || inField || !inView || !bare) return;
      event.preventDefault();
      keys[event.key]();
    });
    chooseTask(present[0]);
  };

  if (data.cases.length) start();
  page.preparePlots();
  document.documentElement.dataset.ready = "true";
})();
