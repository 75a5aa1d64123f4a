"use strict";
// What the other scripts share: data islands, small DOM makers, numbers as printed, error notes.
const page = {
  errors: [],

  island(id) {
    const element = document.getElementById(`${id}-data`);
    return element ? JSON.parse(element.textContent) : null;
  },

  make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  },

  // The same for SVG.
  shape(tag, attributes = {}, text = null) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== null) element.textContent = text;
    return element;
  },

  number(value, digits = 4) {
    if (value === null || value === undefined) return "–";
    return String(Number(value.toPrecision(digits)));
  },

  // Plotly reads a few tags in texts: names of structures and models are not to be read as such.
  plain(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  },

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },
};

window.addEventListener("error", (event) => {
  page.errors.push(event.message);
  document.documentElement.dataset.errors = page.errors.join(" | ");
});
