"use strict";
// A list or a grid of any length of which only what is seen is in the page. Arrow keys, Home, End
// and the page keys move within it; every other key, Tab among them, stays the browser's.
page.caseList = (box, { item, onChoose }) => {
  const SIZES = { list: { height: 46, width: 0 }, grid: { height: 148, width: 132 } };
  const inner = page.make("div", { class: "rows", role: "presentation" });
  box.replaceChildren(inner);
  let places = [], current = -1, kind = "list", drawn = "";

  const perRow = () => (kind === "list" ? 1 : Math.max(1, Math.floor(box.clientWidth / SIZES.grid.width)));
  const at = () => places.indexOf(current);

  const draw = () => {
    const { height } = SIZES[kind];
    const columns = perRow();
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 2);
    const last = Math.ceil((box.scrollTop + Math.max(box.clientHeight, height)) / height) + 2;
    const from = first * columns, to = Math.min(places.length, last * columns);
    const now = [from, to, columns, current, kind].join();
    if (now === drawn) return;
    drawn = now;
    inner.style.height = `${Math.ceil(places.length / columns) * height}px`;
    inner.replaceChildren(...Array.from({ length: to - from }, (_, index) => {
      const place = places[from + index];
      const made = item(place, kind);
      made.id = `case-${place}`;
      made.setAttribute("role", "option");
      made.setAttribute("aria-selected", String(place === current));
      made.setAttribute("aria-posinset", from + index + 1);
      made.setAttribute("aria-setsize", places.length);
      made.style.top = `${Math.floor((from + index) / columns) * height}px`;
      made.style.height = `${height}px`;
      made.style.left = `${(100 * ((from + index) % columns)) / columns}%`;
      made.style.width = `${100 / columns}%`;
      made.addEventListener("click", () => onChoose(place));
      return made;
    }));
    const shown = document.getElementById(`case-${current}`);
    if (shown) box.setAttribute("aria-activedescendant", shown.id);
    else box.removeAttribute("aria-activedescendant");
  };

  const reveal = () => {
    const place = at();
    if (place < 0) return;
    const { height } = SIZES[kind];
    const top = Math.floor(place / perRow()) * height;
    if (top < box.scrollTop || top + height > box.scrollTop + box.clientHeight) {
      box.scrollTop = Math.max(0, top - box.clientHeight / 2 + height / 2);
    }
  };

  box.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const columns = perRow();
    const page_ = Math.max(1, Math.floor(box.clientHeight / SIZES[kind].height)) * columns;
    const steps = { ArrowDown: columns, ArrowUp: -columns, PageDown: page_, PageUp: -page_, Home: -places.length, End: places.length };
    if (kind === "grid") Object.assign(steps, { ArrowRight: 1, ArrowLeft: -1 });
    if (!(event.key in steps) || !places.length) return;
    const next = Math.min(places.length - 1, Math.max(0, at() + steps[event.key]));
    event.preventDefault();
    event.stopPropagation();
    if (places[next] !== current) onChoose(places[next]);
  });
  box.addEventListener("scroll", draw, { passive: true });
  new ResizeObserver(() => { drawn = ""; draw(); }).observe(box);

  return {
    show(newPlaces) { places = newPlaces; drawn = ""; draw(); reveal(); draw(); },
    choose(place) { current = place; reveal(); draw(); },
    as(newKind) { kind = newKind; drawn = ""; box.dataset.kind = kind; draw(); reveal(); draw(); },
    again() { drawn = ""; draw(); },
    at, get places() { return places; },
  };
};
