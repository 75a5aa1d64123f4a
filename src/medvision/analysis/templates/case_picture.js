"use strict";
// One slice with the truth and any number of answers drawn over it: zoom, pan, window and level.
page.casePicture = (holder) => {
  const made = page.shape;
  let svg = null, whole = [640, 640], view = { x: 0, y: 0, zoom: 1 };

  // Each shape as `shape_json` writes it: a letter, then its numbers.
  const ELEMENTS = {
    l: ([x1, y1, x2, y2]) => made("line", { x1, y1, x2, y2 }),
    b: ([x, y, x1, y1, thin]) => made("rect", { x, y, width: Math.max(0, x1 - x), height: Math.max(0, y1 - y), ...(thin ? { class: "thin" } : {}) }),
    d: ([cx, cy]) => made("circle", { cx, cy, r: 4, class: "dot" }),
    e: ([cx, cy, rx, ry, turn]) => made("ellipse", { cx, cy, rx: Math.max(0, rx), ry: Math.max(0, ry), transform: `rotate(${turn} ${cx} ${cy})`, class: "thin" }),
    o: ([d]) => made("path", { d, class: "thin" }),
  };

  const group = (shapes, { name, colour, words = true }) => {
    const made_ = made("g", { class: name });
    if (colour) made_.style.setProperty("--own", colour);
    for (const [letter, ...numbers] of shapes) {
      if (letter === "t") {
        if (!words) continue;
        const [x, y, anchor, size, text] = numbers;
        const element = made("text", { x, y, "text-anchor": anchor }, text);
        element.style.setProperty("--size", `${size}px`);
        made_.append(element);
        continue;
      }
      const element = ELEMENTS[letter](numbers);
      if (letter !== "d") {
        const halo = element.cloneNode();
        halo.classList.add("halo");
        made_.append(halo);
      }
      made_.append(element);
    }
    return made_;
  };

  const look = () => {
    if (!svg) return;
    const [width, height] = whole;
    view.zoom = Math.min(40, Math.max(1, view.zoom));
    const w = width / view.zoom, h = height / view.zoom;
    view.x = Math.min(width - w, Math.max(0, view.x));
    view.y = Math.min(height - h, Math.max(0, view.y));
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
    svg.style.setProperty("--zoom", view.zoom);
    holder.classList.toggle("zoomed", view.zoom > 1);
  };

  // About a place of the picture given as shares of what is seen.
  const zoomBy = (factor, fx = 0.5, fy = 0.5) => {
    const [width, height] = whole;
    const before = view.zoom;
    const after = Math.min(40, Math.max(1, before * factor));
    view.x += fx * width * (1 / before - 1 / after);
    view.y += fy * height * (1 / before - 1 / after);
    view.zoom = after;
    look();
  };
  const panBy = (fx, fy) => {
    view.x += (fx * whole[0]) / view.zoom;
    view.y += (fy * whole[1]) / view.zoom;
    look();
  };
  const reset = () => { view = { x: 0, y: 0, zoom: 1 }; look(); };

  const shares = (event) => {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  // With Ctrl alone: a wheel that merely passes over the picture scrolls the page.
  holder.addEventListener("wheel", (event) => {
    if (!svg || !event.ctrlKey) return;
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 1.25 : 0.8, ...shares(event));
  }, { passive: false });
  holder.addEventListener("dblclick", (event) => { if (svg) zoomBy(2, ...shares(event)); });
  let from = null;
  holder.addEventListener("pointerdown", (event) => {
    if (!svg || view.zoom === 1 || event.button !== 0) return;
    from = [event.clientX, event.clientY];
    holder.setPointerCapture(event.pointerId);
  });
  holder.addEventListener("pointermove", (event) => {
    if (!from) return;
    const box = svg.getBoundingClientRect();
    panBy((from[0] - event.clientX) / box.width, (from[1] - event.clientY) / box.height);
    from = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) holder.addEventListener(end, () => { from = null; });
  holder.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const keys = { "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: reset };
    if (view.zoom > 1) {
      Object.assign(keys, {
        ArrowLeft: () => panBy(-0.1, 0), ArrowRight: () => panBy(0.1, 0), ArrowUp: () => panBy(0, -0.1), ArrowDown: () => panBy(0, 0.1),
      });
    }
    if (!(event.key in keys)) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });

  return {
    zoomBy, reset,

    // `layers`: shapes of the truth and of each answer drawn, in the order they lie.
    draw({ title, width, height, address, absent, layers }) {
      whole = [width, height];
      svg = made("svg", { role: "img", "aria-label": title });
      const filter = made("filter", { id: "levels", "color-interpolation-filters": "sRGB", x: 0, y: 0, width: 1, height: 1 });
      filter.append(made("feComponentTransfer"));
      for (const channel of "RGB") filter.firstChild.append(made(`feFunc${channel}`, { type: "linear", slope: 1, intercept: 0 }));
      svg.append(filter);
      const none = (why) => made("text", { x: 16, y: 48, class: "absent" }, `no picture: ${why}`);
      if (address) {
        const image = made("image", { width, height, preserveAspectRatio: "none", href: address });
        image.addEventListener("error", () => image.replaceWith(none("it could not be read")));
        svg.append(image);
      } else svg.append(none(absent));
      for (const layer of layers) svg.append(group(layer.shapes, layer));
      holder.replaceChildren(svg);
      look();
    },

    // Greys as seen through another window: 0 to 1 of what is shown now becomes `low` to `high`.
    levels(low, high) {
      const image = svg?.querySelector("image");
      if (!image) return;
      const slope = 1 / Math.max(1e-3, high - low);
      for (const part of svg.querySelectorAll("feComponentTransfer > *")) {
        part.setAttribute("slope", slope);
        part.setAttribute("intercept", -low * slope);
      }
      if (low === 0 && high === 1) image.removeAttribute("filter");
      else image.setAttribute("filter", "url(#levels)");
    },

    address(url) { svg?.querySelector("image")?.setAttribute("href", url); },
  };
};
