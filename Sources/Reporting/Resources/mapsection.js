// The maps section: choice of field and date, lead slider, maps of forecast, truth and error, the series at a point.

const mapData = read("map-data");
const coastlines = read("coastlines") ?? [];

/** The numbers of one field: forecast and truth, [initial time][lead] → values of a frame. */
function decodeField(data, field) {
  const size = data.cells?.latitudes.length ?? data.latitudes.length * data.longitudes.length;
  const leads = data.leads.length;
  const forecast = bytesOf(field.forecast);
  const mean = new Float32Array(bytesOf(field.mean).buffer);
  const error = bytesOf(field.error);
  const frame = (bytes, initial, lead) => bytes.subarray((initial * leads + lead) * size, (initial * leads + lead + 1) * size);
  return {
    hasTruth: error.length > 0,
    step: field.step,
    errorStep: (lead) => field.errorSteps[lead],
    forecast: (initial, lead) => Float32Array.from(frame(forecast, initial, lead), (b, i) => mean[i] + field.lower + field.step * b),
    error: (initial, lead) => Float32Array.from(frame(error, initial, lead), (b) => field.errorSteps[lead] * (b - 128)),
  };
}

const minus = (a, b) => a.map((v, i) => v - b[i]);

/** Value below which a share of a sample of the values lies. */
function quantile(values, share) {
  const stride = Math.max(1, Math.floor(values.length / 20000));
  const sample = Float32Array.from({ length: Math.floor(values.length / stride) }, (_, i) => values[i * stride]).sort();
  return sample[Math.min(sample.length - 1, Math.max(0, Math.round(share * (sample.length - 1))))];
}

/** Colour scales of a field: one for forecast and truth at all dates and leads, one of errors for each lead and for all. */
function fieldScales(data, decoded, channel) {
  const values = [];
  const errors = data.leads.map(() => []);
  data.initialTimes.forEach((_, initial) => data.leads.forEach((_, lead) => {
    const forecast = decoded.forecast(initial, lead);
    values.push(...sampled(forecast));
    if (!decoded.hasTruth) return;
    const error = decoded.error(initial, lead);
    values.push(...sampled(minus(forecast, error)));
    errors[lead].push(...sampled(error).map(Math.abs));
  }));
  let [low, high] = [quantile(values, 0.001), quantile(values, 0.999)];
  if (channel.palette === "wind") [low, high] = [-Math.max(-low, high), Math.max(-low, high)];
  if (channel.palette === "moisture") low = Math.max(0, low);
  const perLead = errors.map((list) => (list.length > 0 ? quantile(list, 0.995) : 1) || 1e-9);
  const interval = channel.contours ? niceStep((high - low) / 16) : 0;
  return { low, high, interval, perLead, overall: Math.max(...perLead) };
}

/** Some thousand values of a frame; scales don't need all. */
function sampled(values) {
  const stride = Math.max(1, Math.floor(values.length / 2048));
  return Array.from({ length: Math.ceil(values.length / stride) }, (_, i) => values[i * stride]);
}

const hoursLater = (text, hours) => new Date(Date.parse(`${text}Z`) + hours * 3600e3).toISOString().slice(0, 16).replace("T", " ");

/** A map with a heading that shows the value at the point, and a mark there. */
function mapCard(title) {
  const output = make("output");
  const canvas = make("canvas");
  const cross = make("div", { class: "cross", hidden: true });
  const map = make("div", { class: "map" }, canvas, cross);
  const bar = make("div", { class: "bar-box" });
  const note = make("p", { class: "note", hidden: true });
  const card = make("div", { class: "card" }, make("div", { class: "map-head" }, make("h3", {}, title), output), map, bar, note);
  return { card, output, canvas, cross, map, bar, note };
}

function drawColorBar(host, paletteName, low, high, unit) {
  const scale = make("div", { class: "scale" }, make("i", { style: `background:${gradient(paletteName)}` }));
  host.replaceChildren(scale, make("span", {}, unit));
  const width = scale.clientWidth || 300;
  const { ticks, text } = linearTicks(low, high, Math.max(2, Math.min(8, Math.floor(width / 64))));
  for (const tick of ticks) {
    const place = (tick - low) / (high - low);
    if (place * width < 10 || place * width > width - 10) continue;
    scale.append(make("span", { style: `left:${(100 * place).toFixed(2)}%` }, text(tick)));
  }
}

const icons = {
  play: '<svg viewBox="0 0 20 20" width="20" height="20" fill="currentColor" aria-hidden="true"><path d="M6 3.5v13l11-6.5z"/></svg>',
  pause: '<svg viewBox="0 0 20 20" width="20" height="20" fill="currentColor" aria-hidden="true"><path d="M5 3.5h3.6v13H5zm6.4 0H15v13h-3.6z"/></svg>',
};

/** The play button, slider and valid time. `show(lead)` is called with the index of each new lead. */
function leadBar(leads, show) {
  let lead = Math.max(0, leads.findIndex((hours) => hours >= 72));
  let timer = null;
  const input = make("input", {
    type: "range", min: 0, max: leads.length - 1, step: 1, value: lead, "aria-label": "Lead time",
    oninput: () => { stop(); set(Number(input.value)); },
  });
  const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  const hours = make("b");
  const valid = make("span");
  const button = make("button", { class: "play", type: "button", onclick: () => (timer ? stop() : start()) });
  const set = (next) => {
    lead = next;
    input.value = next;
    input.setAttribute("aria-valuetext", `${leads[next]} hours`);
    hours.textContent = `+${leads[next]} h`;
    show(next);
  };
  const face = (name) => {
    button.innerHTML = icons[name];
    button.setAttribute("aria-label", name === "play" ? "Play through lead times" : "Pause");
  };
  const start = () => {
    timer = setInterval(() => set((lead + 1) % leads.length), 450);
    face("pause");
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    face("play");
  };
  face("play");
  const element = make("div", { class: "lead-bar" }, button, make("div", { class: "slider" }, input, ticks),
    make("div", { class: "when" }, hours, valid));
  whenResized(ticks, () => {
    const every = Math.max(1, Math.ceil(leads.length / Math.max(2, Math.floor(ticks.clientWidth / 52))));
    const whole = leads.filter((h) => h % 24 === 0).length >= 2 && every > 1;
    const days = Math.ceil((leads.at(-1) / 24) / Math.max(2, Math.floor(ticks.clientWidth / 52)));
    ticks.replaceChildren(...leads.map((h, i) => {
      const isShown = whole ? h % (24 * days) === 0 : i % every === 0;
      return isShown ? make("span", { style: `left:${(100 * i) / Math.max(1, leads.length - 1)}%` }, String(h)) : null;
    }).filter(Boolean));
  });
  return { element, set, stop, valid, get lead() { return lead; } };
}

function startMaps(host) {
  const data = mapData;
  const frame = mapFrame(data.latitudes, data.longitudes, data.periodic, data.cells && decodeCells(data.cells));
  const names = data.fields.map((field) => field.name);
  const state = { initial: 0, isSmooth: true, isPerLead: false, place: null, pinned: null };
  state.pinned = frame.isPeriodic && frame.north > 50 && frame.south < 50
    ? { latitude: 50, longitude: 0 }
    : { latitude: (frame.north + frame.south) / 2, longitude: (frame.west + frame.east) / 2 };

  let channel, decoded, scales, current, series, surfaces;
  const forecast = mapCard("Forecast");
  const truth = mapCard("Truth");
  const error = mapCard("Error: forecast − truth");
  const point = make("div", { class: "card" });
  const cards = data.fields[0].error.length > 0 ? [forecast, truth, error] : [forecast];
  const shared = cards.length > 1 ? make("div", { class: "card wide" }, forecast.bar) : null;

  const bar = leadBar(data.leads, () => showFrame());
  const chooser = fieldChooser(names, () => showField());
  const times = dropDown(data.initialTimes.map((time, i) => ({ value: String(i), label: time.slice(0, 16).replace("T", " ") })), "0",
    (value) => { state.initial = Number(value); loadSeries(); showFrame(); });
  const controls = make("div", { class: "controls pairs" }, chooser.element, labelled("Initial time (UTC)", times),
    frame.cells ? null : segments("Drawing", [{ value: true, label: "Smooth" }, { value: false, label: "Grid points" }], true,
      (value) => { state.isSmooth = value; surfaces = null; showFrame(); }));
  if (cards.length > 1) {
    controls.append(segments("Error scale", [{ value: false, label: "All leads" }, { value: true, label: "This lead" }], false,
      (value) => { state.isPerLead = value; showFrame(); }));
  }
  const grid = make("div", { class: "map-grid" }, forecast.card, cards.length > 1 ? truth.card : null, shared,
    cards.length > 1 ? error.card : null, point);
  host.append(controls, bar.element, grid);

  const pointChart = chartCard(point, {
    describe: () => {
      const at = nearestPoint(frame, state.pinned.latitude, state.pinned.longitude);
      const line = (name, color, values, width) => ({ name, color, width, x: data.leads, y: values.map((v) => v[at.index]), unit: channel.valueUnit });
      const lines = [line("Forecast", "var(--model)", series.forecast, 2.5)];
      if (series.truth) lines.unshift(line("Truth", "var(--truth)", series.truth, 1.8));
      return {
        heading: `At ${latitudeText(at.latitude)}, ${longitudeText(at.longitude)}`,
        label: "Forecast and truth at a point against lead time",
        height: Math.max(210, Math.min(460, cards.at(-1).card.clientHeight - 70)),
        x: { label: "lead time (h)", ticks: "hours", domain: [0, data.leads.at(-1)] },
        y: { label: withUnit(channel.label, channel.valueUnit && `(${channel.valueUnit})`), pad: true },
        series: lines, cursor: data.leads[bar.lead], title: (lead) => `+${lead} h`,
        pick: (lead) => { bar.stop(); bar.set(data.leads.indexOf(lead)); },
      };
    },
  });

  function showField() {
    channel = channels.get(chooser.value);
    decoded = decodeField(data, data.fields[names.indexOf(chooser.value)]);
    scales = fieldScales(data, decoded, channel);
    loadSeries();
    showFrame();
  }

  function loadSeries() {
    const forecasts = data.leads.map((_, lead) => decoded.forecast(state.initial, lead));
    const errors = decoded.hasTruth ? data.leads.map((_, lead) => decoded.error(state.initial, lead)) : null;
    series = { forecast: forecasts, error: errors, truth: errors && forecasts.map((field, lead) => minus(field, errors[lead])) };
  }

  function makeSurfaces() {
    const scale = Math.min(2, devicePixelRatio || 1);
    const room = forecast.card.clientWidth - 2 * parseFloat(getComputedStyle(forecast.card).paddingLeft);
    const width = Math.min(room, 480 * frame.aspect);
    for (const card of cards) Object.assign(card.map.style, { width: `${width}px`, height: `${width / frame.aspect}px` });
    surfaces = mapCanvas(frame, Math.round(width * scale), Math.round((width / frame.aspect) * scale), state.isSmooth, coastlines, scale);
  }

  function showFrame() {
    if (!decoded || grid.clientWidth === 0) return;
    if (!surfaces) makeSurfaces();
    const lead = bar.lead;
    current = { forecast: series.forecast[lead], truth: series.truth?.[lead], error: series.error?.[lead] };
    const colors = pixelPalette(channel.palette);
    const look = { colors, low: scales.low, high: scales.high, interval: scales.interval };
    drawMap(forecast.canvas, surfaces, current.forecast, look);
    drawColorBar(forecast.bar, channel.palette, scales.low, scales.high, withUnit(channel.label, channel.valueUnit && `(${channel.valueUnit})`));
    if (current.error) {
      drawMap(truth.canvas, surfaces, current.truth, look);
      const most = state.isPerLead ? scales.perLead[lead] : scales.overall;
      drawMap(error.canvas, surfaces, current.error, { colors: pixelPalette("error"), low: -most, high: most });
      drawColorBar(error.bar, "error", -most, most, channel.unit);
      showMapScores();
    }
    bar.valid.textContent = `valid ${hoursLater(data.initialTimes[state.initial], data.leads[lead])} UTC`;
    showValues();
    pointChart.update();
  }

  /** RMSE and bias of the shown map; of averaged points, or some of them, they would not be those of the forecast. */
  function showMapScores() {
    error.note.hidden = data.block > 1 || (frame.cells && !frame.cells.areAll);
    let [weights, squares, sum] = [0, 0, 0];
    current.error.forEach((e, i) => {
      const weight = frame.cells?.weights[i]
        ?? Math.cos((frame.latitudes[Math.floor(i / frame.longitudes.length)] * Math.PI) / 180);
      weights += weight;
      squares += weight * e * e;
      sum += weight * e;
    });
    error.note.textContent = `This map: RMSE ${withUnit(number(Math.sqrt(squares / weights)), channel.unit)}, bias ${withUnit(number(sum / weights, 2), channel.unit)}`;
  }

  /** Values at the cursor, else at the chosen point, in the headings of the maps. */
  function showValues() {
    const place = state.place ?? state.pinned;
    const at = nearestPoint(frame, place.latitude, place.longitude);
    const longitude = frame.isPeriodic ? ((((at.longitude + 180) % 360) + 360) % 360) - 180 : eastOf(frame.west, at.longitude);
    for (const [card, field, unit] of [[forecast, current.forecast, channel.valueUnit], [truth, current.truth, channel.valueUnit],
      [error, current.error, channel.unit]]) {
      if (!field) continue;
      const value = field[at.index];
      card.output.replaceChildren(make("b", {}, card === error ? `${value > 0 ? "+" : ""}${numberTo(value, decoded.errorStep(bar.lead))}` : numberTo(value, decoded.step)), ` ${unit}`);
      card.cross.hidden = false;
      card.cross.style.left = `${(100 * (longitude - frame.west)) / (frame.east - frame.west)}%`;
      card.cross.style.top = `${(100 * (frame.north - at.latitude)) / (frame.north - frame.south)}%`;
    }
  }

  for (const card of cards) {
    const placeOf = (event) => {
      const box = card.map.getBoundingClientRect();
      const share = (v) => Math.min(1, Math.max(0, v));
      return {
        longitude: frame.west + share((event.clientX - box.left) / box.width) * (frame.east - frame.west),
        latitude: frame.north - share((event.clientY - box.top) / box.height) * (frame.north - frame.south),
      };
    };
    const pin = (event) => {
      state.pinned = placeOf(event);
      showValues();
      pointChart.update();
    };
    card.map.addEventListener("pointermove", (event) => {
      state.place = placeOf(event);
      if (event.pointerType === "mouse") showValues();
      else pin(event);
    });
    card.map.addEventListener("pointerdown", pin);
    for (const name of ["pointerleave", "pointercancel"]) {
      card.map.addEventListener(name, () => { state.place = null; showValues(); });
    }
  }
  whenResized(grid, () => { surfaces = null; showFrame(); });
  showField();
  bar.set(bar.lead);
}
