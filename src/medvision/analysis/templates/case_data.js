"use strict";
// The cases as columns: which pass the filters, and in which order. No element is touched here.
// A case is a number, its place in every column; details come from the page or from the server.
page.cases = (data) => {
  const placeOf = new Map(data.id.map((id, place) => [id, place]));
  const all = Int32Array.from(data.id.keys());
  const kept = new Map(); // details asked for, by place
  const word = (name, place) => data.words[name].values[data.words[name].at[place]];
  const taskOf = (place) => word("task", place);

  const answer = (place, model) => {
    const of = data.answers[model];
    const at = of.outcome.at[place];
    return at < 0 ? null : { outcome: of.outcome.values[at], error: of.error[place] };
  };
  const absolute = data.answers.map((of) => new Set(of.absolute));

  // How a model did, in a few signs.
  const score = (place, model) => {
    const found = answer(place, model);
    if (!found) return "not asked";
    if (found.outcome !== "ok" || found.error === null) return found.outcome;
    if (data.box_tasks.includes(taskOf(place))) return `IoU ${(1 - found.error).toFixed(2)}`;
    return absolute[model].has(place) ? `off by ${page.number(found.error, 3)}` : `${(100 * found.error).toFixed(0)} % off`;
  };

  const difference = (place, a, b) => {
    const [first, second] = [data.answers[a].error[place], data.answers[b].error[place]];
    return first === null || second === null ? null : first - second;
  };

  const title = (place) => `${word("name", place)} · ${word("plane", place)} ${data.slice[place]}`;
  const slice = (place) => `${word("plane", place)} ${data.slice[place]} · ${where(place)}`;
  const where = (place) => `${word("dataset", place)} · ${word("case_id", place)}`;

  // --- filters -----------------------------------------------------------------------------

  // `wanted`: words (name to value), model, outcome, least and most error, found (a Set, or null).
  const matching = (wanted) => {
    const checks = [];
    for (const [name, value] of Object.entries(wanted.words)) {
      const { values, at } = data.words[name];
      const code = values.indexOf(value);
      checks.push((place) => at[place] === code);
    }
    const of = data.answers[wanted.model];
    if (wanted.outcome !== "") {
      const code = of.outcome.values.indexOf(wanted.outcome);
      checks.push((place) => of.outcome.at[place] === code);
    }
    if (wanted.least !== null) checks.push((place) => of.error[place] !== null && of.error[place] >= wanted.least);
    if (wanted.most !== null) checks.push((place) => of.error[place] !== null && of.error[place] <= wanted.most);
    if (wanted.found) checks.push((place) => wanted.found.has(place));
    return checks.length ? all.filter((place) => checks.every((check) => check(place))) : all.slice();
  };

  // --- order -------------------------------------------------------------------------------

  // What a case is sorted by, null last whatever the direction.
  const keyOf = (by, wanted) => {
    if (by === "order") return (place) => place;
    if (by === "slice" || by === "size") return (place) => data[by][place];
    if (by === "difference") return (place) => (wanted.other === null ? null : difference(place, wanted.model, wanted.other));
    if (by === "outcome") return (place) => (data.answers[wanted.model].outcome.at[place] < 0 ? null : data.answers[wanted.model].outcome.at[place]);
    if (by === "error") {
      const { outcome, error } = data.answers[wanted.model];
      // What was asked but not read is worse than any answer.
      return (place) => error[place] ?? (outcome.at[place] < 0 ? null : Infinity);
    }
    const at = data.words[by].at;
    return (place) => at[place];
  };

  const sorted = (places, by, descending, wanted) => {
    const key = keyOf(by, wanted);
    const known = [], unknown = [];
    for (const place of places) (key(place) === null ? unknown : known).push(place);
    const keys = new Float64Array(data.id.length);
    for (const place of known) keys[place] = key(place);
    const sign = descending ? -1 : 1;
    known.sort((a, b) => (keys[a] === keys[b] ? a - b : sign * (keys[a] < keys[b] ? -1 : 1)));
    return Int32Array.from([...known, ...unknown]);
  };

  // --- details and search ------------------------------------------------------------------

  const ask = async (path) => {
    const reply = await fetch(path, { credentials: "omit" });
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  };

  const detail = async (place) => {
    if (!data.served) return { ...data.details[place], prompts: data.prompts };
    if (!kept.has(place)) {
      if (kept.size > 400) kept.clear();
      const asked = ask(`case/${place}`);
      kept.set(place, asked);
      asked.catch(() => kept.delete(place)); // what failed is asked again next time
    }
    return kept.get(place);
  };

  let texts = null;
  const search = async (words) => {
    if (data.served) return new Set(await ask(`search?q=${encodeURIComponent(words)}`));
    texts ??= data.details.map((entry, place) =>
      [data.id[place], ...entry.answers.flat().map((reply) => reply.text ?? reply.message)].join("\n").toLowerCase());
    const wanted = words.toLowerCase();
    return new Set(all.filter((place) => texts[place].includes(wanted)));
  };

  const picture = (place, { window = null, side = null } = {}) => {
    if (!data.served) return data.picture[place] < 0 ? null : data.pictures[data.picture[place]];
    const asked = new URLSearchParams();
    if (window) asked.set("window", window.join(","));
    if (side) asked.set("side", side);
    return `picture/${place}.png?${asked}`;
  };

  return {
    n: data.id.length, placeOf, word, answer, score, difference, title, where, slice, matching, sorted, detail, search, picture,
    noPicture: (place) => data.no_picture?.[place] ?? "not in this file, to keep it small: medvision report RUN --serve shows it",
  };
};
