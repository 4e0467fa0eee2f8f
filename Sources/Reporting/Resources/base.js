// Small tools that the rest is made of: elements, numbers, controls, the tooltip, the chosen field.

const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const report = read("report-data");
const channels = new Map(report.channels.map((channel) => [channel.name, channel]));

/** An element; attributes that start with "on" are listeners, children are elements or texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text for use within SVG and HTML source. */
function escapeText(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

// Numbers

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (n) => (n < 0 ? "⁻" : "") + String(Math.abs(n)).replace(/\d/g, (d) => superscripts[d]);

/** A number for reading: some significant digits, true minus sign, powers of ten only where they help. */
function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let text;
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    text = `${mantissa}·10${raised(Number(exponent))}`;
  } else {
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    text = value.toFixed(Math.min(decimals, 6));
    if (size >= 1e4) text = Number(text).toLocaleString("en-US");
  }
  return text.replace("-", "−");
}

/** A number on an axis whose ticks are `step` apart: only the digits that differ. */
function tickText(value, step) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || step < 1e-4)) return number(value, 2);
  let decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (decimals < 4 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    .replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");
}

/** A number that is known to steps of `step`: no more digits than it has. */
function numberTo(value, step) {
  const power = step > 0 ? Math.floor(Math.log10(step) + 1e-9) : -2;
  const unit = 10 ** power;
  const decimals = Math.max(0, -power);
  const text = (Math.round(value / unit) * unit).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return text.replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");
}

const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

/** The smallest of 1, 2, 5 · 10ⁿ that is at least `size`. */
function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= size * (1 - 1e-9));
}

const degrees = (value) => `${Math.round(Math.abs(value) * 100) / 100}°`;
const latitudeText = (value) => (value === 0 ? "0°" : `${degrees(value)} ${value < 0 ? "S" : "N"}`);
function longitudeText(value) {
  const wrapped = ((((value + 180) % 360) + 360) % 360) - 180;
  return wrapped === 0 || wrapped === -180 ? degrees(wrapped) : `${degrees(wrapped)} ${wrapped < 0 ? "W" : "E"}`;
}

// The field that all parts of the page show, as far as they have it.

const chosen = {
  field: null,
  watchers: [],
  watch(watcher) {
    this.watchers.push(watcher);
  },
  set(name) {
    if (name === this.field) return;
    this.field = name;
    for (const watcher of this.watchers) watcher(name);
  },
};

const preferred = ["z_500", "t_850", "t2m", "msl"];
const firstOf = (names) => preferred.find((name) => names.includes(name)) ?? names[0];

// Controls

function labelled(label, control) {
  return make("label", { class: "control" }, make("span", {}, label), control);
}

function dropDown(options, value, change) {
  const select = make("select", { onchange: () => change(select.value) });
  for (const option of options) {
    select.append(make("option", { value: option.value, selected: option.value === value }, option.label));
  }
  return select;
}

/** A list of fields by variable, which follows and sets the chosen field. */
function fieldChooser(names, onField) {
  const select = make("select", { onchange: () => chosen.set(select.value) });
  const groups = new Map();
  for (const name of names) {
    const channel = channels.get(name);
    const hasLevels = channel.longName.includes(" at ");
    if (!hasLevels) {
      select.append(make("option", { value: name }, `${channel.label} – ${channel.longName}`));
      continue;
    }
    if (!groups.has(channel.variable)) {
      const title = channel.longName.replace(/ at .*/, "");
      const group = make("optgroup", { label: title });
      groups.set(channel.variable, group);
      select.append(group);
    }
    groups.get(channel.variable).append(make("option", { value: name }, channel.label));
  }
  let current = names.includes(chosen.field) ? chosen.field : firstOf(names);
  select.value = current;
  chosen.watch((name) => {
    if (!names.includes(name) || name === current) return;
    current = name;
    select.value = name;
    onField(name);
  });
  return { element: labelled("Field", select), get value() { return current; } };
}

function segments(label, options, value, change) {
  const group = make("div", { class: "segments", role: "radiogroup", "aria-label": label });
  const buttons = options.map((option) =>
    make("button", { type: "button", role: "radio", onclick: () => choose(option.value) }, option.label));
  const choose = (next) => {
    show(next);
    change(next);
  };
  const show = (next) => buttons.forEach((button, i) =>
    button.setAttribute("aria-checked", String(options[i].value === next)));
  show(value);
  group.append(...buttons);
  return make("div", { class: "control" }, make("span", {}, label), group);
}

/** Calls `draw` now and whenever the element gets another width. */
function whenResized(element, draw) {
  let width = -1;
  new ResizeObserver(() => {
    if (element.clientWidth === width || element.clientWidth === 0) return;
    width = element.clientWidth;
    draw();
  }).observe(element);
}

// The tooltip

const tip = document.getElementById("tip");

/** Shows lines { color, name, value } below a title, beside a point of the window. */
function showTip(title, lines, x, y) {
  const rows = lines.map((line) =>
    `<div class="line">${line.color ? `<i style="background:${line.color}"></i>` : ""}` +
    `<span>${escapeText(line.name)}</span><em>${escapeText(line.value)}</em></div>`);
  tip.innerHTML = `<b>${escapeText(title)}</b>${rows.join("")}`;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width < innerWidth - 8 ? x + 16 : Math.max(8, x - 16 - box.width);
  const top = Math.min(Math.max(8, y - box.height - 12), innerHeight - box.height - 8);
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

const hideTip = () => { tip.hidden = true; };
addEventListener("scroll", hideTip, { passive: true });

/** Leaving with the mouse hides the tooltip; after a tap it stays until the next one, since a finger covers what it points at. */
function whenLeft(event, clear) {
  if (event.pointerType !== "touch") clear();
}

addEventListener("pointerdown", () => {
  hideTip();
  for (const hover of document.querySelectorAll(".chart .hover")) hover.innerHTML = "";
}, { capture: true });
