// Line charts as SVG, drawn at the size they are shown at, so that text keeps its size on every screen.
//
// A chart is { height, x, y, series, marks }:
//   x, y: { label, log, ticks: "hours" | undefined, zero: include 0, domain: [low, high], text: value → label }
//   series: [{ name, color, x: [], y: [], dash, width, dots, faint, unit }]; y may hold nulls
//   marks: [{ x, text }] upright lines; level: { y, text } a line across; cursor: x that stays marked
//   title: x → heading of the tooltip; pick: called with the x that is clicked

function extent(values, isLog) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (v === null || !Number.isFinite(v) || (isLog && v <= 0)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return low <= high ? [low, high] : isLog ? [0.1, 1] : [0, 1];
}

function linearTicks(low, high, count) {
  const step = niceStep((high - low) / count);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) ticks.push(i * step);
  return { ticks, text: (v) => tickText(v, step) };
}

function hourTicks(low, high, count) {
  const steps = [1, 3, 6, 12, 24, 48, 72, 120, 240, 480, 960];
  const step = steps.find((s) => (high - low) / s <= count) ?? niceStep((high - low) / count);
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high; t += step) ticks.push(t);
  return { ticks, text: (v) => String(v) };
}

function logTicks(low, high, count) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  const isShort = Math.log10(high / low) < 2.6;
  const multiples = Math.log10(high / low) < 0.9 ? [1, 2, 3, 4, 5, 6, 8] : isShort ? [1, 2, 5] : [1];
  const skip = Math.max(1, Math.ceil((last - first) / count));
  const ticks = [];
  for (let power = first; power <= last; power += 1) {
    if (!isShort && (power - first) % skip !== 0) continue;
    for (const m of multiples) {
      const value = m * 10 ** power;
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push(value);
    }
  }
  const isPlain = low >= 1e-3 && high < 1e5;
  const text = (v) => {
    if (isPlain) return number(v, 1).includes("·") ? number(v, 1) : String(Number(v.toPrecision(1))).replace("-", "−");
    const power = Math.floor(Math.log10(v) + 1e-9);
    const m = Math.round(v / 10 ** power);
    return `${m === 1 ? "" : `${m}·`}10${raised(power)}`;
  };
  return { ticks, text };
}

function axisScale(axis, values, low, high, count) {
  let [a, b] = axis.domain ?? extent(values, axis.log);
  if (axis.zero) [a, b] = [Math.min(a, 0), Math.max(b, 0)];
  if (axis.pad && !axis.log) {
    const room = (b - a || Math.abs(b) || 1) * 0.06;
    [a, b] = [axis.zero && a === 0 ? 0 : a - room, axis.zero && b === 0 ? 0 : b + room];
  }
  if (axis.pad && axis.log) [a, b] = [a / 1.15, b * 1.15];
  if (a === b) [a, b] = axis.log ? [a / 2, b * 2] : [a - 1, b + 1];
  const made = axis.log ? logTicks(a, b, count) : axis.ticks === "hours" ? hourTicks(a, b, count) : linearTicks(a, b, count);
  const map = axis.log ? Math.log : (v) => v;
  const place = (v) => low + ((map(v) - map(a)) / (map(b) - map(a))) * (high - low);
  return { place, ticks: made.ticks, text: axis.text ?? made.text, domain: [a, b] };
}

function linePath(series, x, y, isLog) {
  let path = "";
  let isDown = false;
  series.x.forEach((value, i) => {
    const v = series.y[i];
    if (v === null || v === undefined || (isLog && v <= 0)) {
      isDown = false;
      return;
    }
    path += `${isDown ? "L" : "M"}${x(value).toFixed(1)},${y(v).toFixed(1)}`;
    isDown = true;
  });
  return path;
}

let clipCount = 0;

/** Draws into an empty element of some width and returns nothing; call again to draw anew. */
function drawChart(host, chart) {
  const shown = chart.series.filter((series) => !series.isHidden);
  const width = host.clientWidth;
  const height = chart.height;
  const yValues = shown.flatMap((series) => series.y);
  const xValues = chart.series.flatMap((series) => series.x);
  const rows = Math.max(3, Math.round(height / 55));
  const draft = axisScale(chart.y, yValues, 0, 1, rows);
  const longest = Math.max(...draft.ticks.map((v) => draft.text(v).length), 1);
  const box = { left: 14 + 7.2 * longest, right: width - 14, top: 26, bottom: height - 42 };
  const y = axisScale(chart.y, yValues, box.bottom, box.top, rows);
  const x = axisScale(chart.x, xValues, box.left, box.right, Math.max(3, Math.floor((box.right - box.left) / 54)));

  let svg = `<svg height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(chart.label ?? "")}">`;
  for (const tick of y.ticks) {
    const at = y.place(tick).toFixed(1);
    svg += `<line class="grid" x1="${box.left}" x2="${box.right}" y1="${at}" y2="${at}"/>`;
    svg += `<text x="${box.left - 8}" y="${at}" dy="0.35em" text-anchor="end">${y.text(tick)}</text>`;
  }
  for (const tick of x.ticks) {
    const at = x.place(tick).toFixed(1);
    svg += `<line class="axis" x1="${at}" x2="${at}" y1="${box.bottom}" y2="${box.bottom + 5}"/>`;
    svg += `<text x="${at}" y="${box.bottom + 19}" text-anchor="middle">${x.text(tick)}</text>`;
  }
  svg += `<line class="axis" x1="${box.left}" x2="${box.right}" y1="${box.bottom}" y2="${box.bottom}"/>`;
  svg += `<text x="0" y="12">${escapeText(chart.y.label ?? "")}</text>`;
  svg += `<text x="${(box.left + box.right) / 2}" y="${height - 5}" text-anchor="middle">${escapeText(chart.x.label ?? "")}</text>`;
  if (chart.level && chart.level.y > y.domain[0] && chart.level.y < y.domain[1]) {
    const at = y.place(chart.level.y);
    svg += `<line class="zero" x1="${box.left}" x2="${box.right}" y1="${at}" y2="${at}"/>`;
    svg += `<text x="${box.right}" y="${at - 5}" text-anchor="end">${escapeText(chart.level.text ?? "")}</text>`;
  }
  for (const mark of chart.marks ?? []) {
    const at = x.place(mark.x);
    svg += `<line class="zero" x1="${at}" x2="${at}" y1="${box.top}" y2="${box.bottom}"/>`;
    svg += `<text x="${at + 5}" y="${box.top + 10}">${escapeText(mark.text)}</text>`;
  }
  if (chart.cursor !== undefined) {
    const at = x.place(chart.cursor).toFixed(1);
    svg += `<line class="cursor" stroke-width="1.5" x1="${at}" x2="${at}" y1="${box.top}" y2="${box.bottom}"/>`;
  }
  clipCount += 1;
  svg += `<clipPath id="clip-${clipCount}"><rect x="${box.left - 4}" y="${box.top - 4}" width="${box.right - box.left + 8}" height="${box.bottom - box.top + 8}"/></clipPath>`;
  svg += `<g clip-path="url(#clip-${clipCount})">`;
  for (const series of shown) {
    const stroke = `stroke:${series.color};stroke-width:${series.width ?? 2}${series.dash ? `;stroke-dasharray:${series.dash}` : ""}`;
    svg += `<path class="series" style="${stroke}" d="${linePath(series, x.place, y.place, chart.y.log)}"/>`;
    if (series.dots || series.x.length === 1) {
      series.x.forEach((value, i) => {
        if (series.y[i] === null || (chart.y.log && series.y[i] <= 0)) return;
        svg += `<circle r="3" cx="${x.place(value).toFixed(1)}" cy="${y.place(series.y[i]).toFixed(1)}" style="fill:${series.color}"/>`;
      });
    }
  }
  svg += `</g><g class="hover"></g><rect x="${box.left - 6}" y="0" width="${box.right - box.left + 12}" height="${box.bottom + 4}" fill="transparent"/></svg>`;
  host.innerHTML = svg;
  listen(host, chart, shown, x.place, y.place, box);
}

/** Values under the cursor or finger. */
function listen(host, chart, shown, placeX, placeY, box) {
  const svg = host.firstElementChild;
  const hover = svg.querySelector(".hover");
  const positions = [...new Set(shown.filter((s) => !s.isSilent).flatMap((s) => s.x))]
    .filter((v) => !chart.x.log || v > 0).sort((a, b) => a - b);
  const nearest = (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    return positions.reduce((best, v) => (Math.abs(placeX(v) - at) < Math.abs(placeX(best) - at) ? v : best), positions[0]);
  };
  const show = (event) => {
    if (positions.length === 0) return;
    const value = nearest(event);
    const at = placeX(value).toFixed(1);
    let marks = `<line class="cursor" x1="${at}" x2="${at}" y1="${box.top}" y2="${box.bottom}"/>`;
    const lines = [];
    for (const series of shown) {
      const v = series.isSilent ? null : series.y[series.x.indexOf(value)];
      if (v === null || v === undefined) continue;
      if ((!chart.y.log || v > 0) && placeY(v) >= box.top - 4 && placeY(v) <= box.bottom + 4) {
        marks += `<circle r="4" cx="${at}" cy="${placeY(v).toFixed(1)}" style="fill:${series.color};stroke:var(--card)" stroke-width="1.5"/>`;
      }
      lines.push({ color: series.color, name: series.name, value: withUnit(number(v), series.unit ?? chart.unit) });
    }
    hover.innerHTML = marks;
    showTip(chart.title ? chart.title(value) : String(value), lines, event.clientX, event.clientY);
  };
  const clear = () => {
    hover.innerHTML = "";
    hideTip();
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", (event) => {
    show(event);
    if (chart.pick && positions.length > 0) chart.pick(nearest(event));
  });
  svg.addEventListener("pointerleave", (event) => whenLeft(event, clear));
  svg.addEventListener("pointercancel", clear);
}

/** A chart with a heading, a legend that switches series on and off, and drawing at each new width. `describe` returns
 * the chart; `update()` draws it anew. */
function chartCard(host, { heading, describe }) {
  const legend = make("div", { class: "legend" });
  const place = make("div", { class: "chart" });
  const head = make("div", { class: "chart-head" }, make("h3", {}, heading ?? ""), legend);
  host.append(head, place);
  const hidden = new Set();
  const draw = () => {
    if (place.clientWidth === 0) return;
    const chart = describe();
    for (const series of chart.series) series.isHidden = hidden.has(series.name);
    drawChart(place, chart);
    legend.replaceChildren(...chart.series.filter((series) => series.name).map((series) => {
      const button = make("button", {
        type: "button", "aria-pressed": String(!series.isHidden),
        onclick: () => {
          if (!hidden.delete(series.name)) hidden.add(series.name);
          draw();
        },
      });
      const dash = series.dash ? `;stroke-dasharray:${series.dash}` : "";
      button.innerHTML = `<svg viewBox="0 0 24 10" aria-hidden="true"><path d="M1,5H23" style="stroke:${series.color};stroke-width:${Math.max(2, series.width ?? 2)}${dash}"/></svg>${escapeText(series.name)}`;
      return button;
    }));
    legend.hidden = chart.series.length < 2;
    if (chart.heading) head.firstElementChild.textContent = chart.heading;
  };
  whenResized(place, draw);
  return { update: draw };
}
