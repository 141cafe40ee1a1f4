// Small tools for the parts of the page below, which share one scope.

const byId = (id) => document.getElementById(id);
const readJson = (id) => JSON.parse(byId(id).textContent);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "text", "circle", "rect", "clipPath"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function fill(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => make("option", { value }, text)));
}

function onChange(names, action) {
  for (const name of names)
    for (const input of document.getElementsByName(name)) input.addEventListener("change", action);
}

const whole = (number) => number.toLocaleString("en-US");
