// Scores against lead, the scorecard, and spectra.

const systemLooks = {
  model: { name: "Model", color: "var(--model)", width: 3 },
  persistence: { name: "Persistence", color: "var(--persistence)", dash: "7 4" },
  "damped-persistence": { name: "Damped persistence", color: "var(--damped)", dash: "2 4" },
  climatology: { name: "Climatology", color: "var(--climatology)", dash: "11 4 2 4" },
};

const regionNames = {
  globe: "Globe", tropics: "Tropics", "extratropics-north": "20–90° N", "extratropics-south": "20–90° S",
  domain: "Domain",
};

function startLeads(host) {
  const scores = report.scores;
  const metrics = new Map(scores.metrics.map((metric) => [metric.name, metric]));
  const state = { region: scores.regions[0], metric: scores.metrics[0].name };
  const metric = () => metrics.get(state.metric);
  const chooser = fieldChooser(scores.channels, () => draw());
  const controls = make("div", { class: "controls" }, chooser.element,
    segments("Metric", scores.metrics.map(({ name, label }) => ({ value: name, label })), state.metric,
      (value) => { state.metric = value; draw(); }));
  if (scores.regions.length > 1) {
    controls.append(segments("Region", scores.regions.map((value) => ({ value, label: regionNames[value] ?? value })), state.region,
      (value) => { state.region = value; draw(); }));
  }
  const chartPlace = make("div", { class: "card" });
  const tablePlace = make("div", { class: "card" });
  const note = make("p", { class: "note" });
  host.append(controls, make("div", { class: "row" }, chartPlace, tablePlace));

  const values = (system) => scores.values[system]?.[chooser.value]?.[state.region]?.[state.metric];
  const systems = () => scores.systems.filter((system) => values(system)?.some((v) => v !== null)
    && !metric().meaninglessFor.includes(system));
  const unit = () => (metric().hasNoUnit ? "" : channels.get(chooser.value).unit);

  const chart = chartCard(chartPlace, {
    describe: () => {
      const channel = channels.get(chooser.value);
      const { title, label, startsAtZero, mark } = metric();
      return {
        heading: `${title} of ${channel.label}`,
        label: `${title} of ${channel.longName} against lead time`,
        height: 360,
        x: { label: "lead time (h)", ticks: "hours", domain: [0, scores.leads.at(-1)] },
        y: { label: withUnit(label, unit() && `(${unit()})`), zero: startsAtZero, pad: true },
        level: mark,
        series: systems().map((system) => ({ ...systemLooks[system], x: scores.leads, y: values(system), dots: system === "model" })),
        unit: unit(), title: (lead) => `+${lead} h`,
      };
    },
  });
  chartPlace.append(note);

  function draw() {
    chart.update();
    note.textContent = metric().note;
    drawTable();
  }

  /** Values at a few leads. */
  function drawTable() {
    const shown = pickLeads(scores.leads, 7);
    const present = systems();
    const hasRatio = metric().isSmallerBetter && present.includes("persistence");
    const head = make("tr", {}, make("th", {}, "Lead"), ...present.map((system) =>
      make("th", {}, { climatology: "Climat.", persistence: "Persist.", "damped-persistence": "Damped" }[system] ?? "Model")),
      hasRatio ? make("th", {}, "vs persist.") : null);
    const body = shown.map((i) => {
      const change = hasRatio ? 100 * (values("model")[i] / values("persistence")[i] - 1) : null;
      return make("tr", {}, make("th", {}, `+${scores.leads[i]} h`), ...present.map((system) => make("td", {}, number(values(system)[i]))),
        hasRatio ? make("td", { style: `color:var(--${change <= 0 ? "model" : "persistence"});font-weight:600` },
          `${change > 0 ? "+" : "−"}${Math.abs(change).toFixed(Math.abs(change) < 9.95 ? 1 : 0)} %`) : null);
    });
    const channel = channels.get(chooser.value);
    tablePlace.replaceChildren(make("h3", {}, withUnit(`${metric().label}, ${regionNames[state.region] ?? state.region}`, unit() && `(${unit()})`)),
      make("div", { class: "scroll" }, make("table", { class: "plain" }, make("thead", {}, head), make("tbody", {}, ...body))),
      make("p", { class: "note" }, `${channel.label}: ${channel.longName}.`));
  }
  draw();
}

/** Indices of at most `count` leads, evenly spread and with the last: whole days unless those leave much room unused. */
function pickLeads(leads, count) {
  const all = leads.map((_, i) => i);
  if (leads.length <= count) return all;
  const thin = (from) => {
    const step = Math.ceil(from.length / count);
    return from.filter((_, k) => (from.length - 1 - k) % step === 0);
  };
  const days = thin(all.filter((i) => leads[i] % 24 === 0));
  const picked = days.length >= 0.6 * count ? days : thin(all);
  if (picked.length < count && picked[0] !== 0) picked.unshift(0);
  return picked;
}

/** 0 at a ratio of 0.3, the middle at 1, 1 at 1.7. */
const ratioPlace = (ratio) => 0.5 + (ratio - 1) / 1.4;

function startScorecard(host) {
  const scores = report.scores;
  const state = { region: scores.regions[0] };
  const tablePlace = make("div", {});
  if (scores.regions.length > 1) {
    host.append(make("div", { class: "controls" }, segments("Region",
      scores.regions.map((value) => ({ value, label: regionNames[value] ?? value })), state.region,
      (value) => { state.region = value; draw(); })));
  }
  const note = make("span", {});
  const key = make("div", { class: "key" },
    make("span", { class: "bar" }, "0.3 better", make("i", { style: `background:${gradient("error")}` }), "1.7 worse"),
    make("span", { class: "dot" }, make("i"), "worse than climatology"), note);
  host.append(make("div", { class: "card" }, tablePlace, key));
  const rmse = (system, name) => scores.values[system]?.[name]?.[state.region]?.rmse;
  const ratio = (name, i) => rmse("model", name)?.[i] / rmse("persistence", name)?.[i];
  const isWorse = (name, i) => rmse("model", name)?.[i] > rmse("climatology", name)?.[i];

  function cell(value, worse, lines) {
    if (!Number.isFinite(value)) return make("td", {}, "–");
    const { back, ink } = colorAt("error", ratioPlace(value));
    return make("td", { class: worse ? "worse" : null, style: `background:${back};color:${ink}`, ...lines }, value.toFixed(2));
  }

  function draw() {
    if (tablePlace.clientWidth === 0) return;
    const labelWidth = 12 + 7.6 * Math.max(4, ...scores.channels.map((name) => channels.get(name).label.length));
    const shown = pickLeads(scores.leads, Math.max(3, Math.floor((tablePlace.clientWidth - labelWidth) / 43)));
    const head = make("tr", {}, make("th", { style: `width:${labelWidth}px` }), ...shown.map((i) => make("th", {}, `${scores.leads[i]} h`)));
    let variable = null;
    const rows = scores.channels.map((name) => {
      const channel = channels.get(name);
      const isFirst = variable !== null && channel.variable !== variable && channel.longName.includes(" at ");
      variable = channel.variable;
      const cells = shown.map((i) => {
        const tell = (event) => showTip(`${channel.label}, +${scores.leads[i]} h`, [
          ...scores.systems.map((system) => ({ color: systemLooks[system].color, name: systemLooks[system].name, value: withUnit(number(rmse(system, name)?.[i]), channel.unit) })),
          { name: "Relative to persistence", value: ratio(name, i).toFixed(3) },
        ], event.clientX, event.clientY);
        return cell(ratio(name, i), isWorse(name, i), { onpointermove: tell, onpointerdown: tell, onpointerleave: (event) => whenLeft(event, hideTip), onclick: () => chosen.set(name) });
      });
      return make("tr", { class: `${isFirst ? "first" : ""}${name === chosen.field ? " chosen" : ""}`, "data-field": name },
        make("th", { scope: "row", title: channel.longName }, make("button", { type: "button", onclick: () => chosen.set(name) }, channel.label)), ...cells);
    });
    const mean = (i) => scores.channels.reduce((sum, name) => sum + ratio(name, i), 0) / scores.channels.length;
    rows.push(make("tr", { class: "mean" }, make("th", {}, "mean"), ...shown.map((i) => cell(mean(i), false, {}))));
    tablePlace.replaceChildren(make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...rows)));
    note.textContent = shown.length < scores.leads.length ? `${shown.length} of ${scores.leads.length} leads shown` : "";
  }
  chosen.watch((name) => {
    for (const row of tablePlace.querySelectorAll("tr[data-field]")) row.classList.toggle("chosen", row.dataset.field === name);
  });
  whenResized(tablePlace, draw);
}

function startSpectra(host) {
  const spectra = report.spectra;
  const chooser = fieldChooser(spectra.channels, () => { power.update(); share.update(); });
  const left = make("div", { class: "card" });
  const right = make("div", { class: "card" });
  host.append(make("div", { class: "controls" }, chooser.element), make("div", { class: "row even" }, left, right));
  const leadColor = (i) => `var(--lead-${Math.round((4 * i) / Math.max(1, spectra.leads.length - 1))})`;
  const waves = () => spectra.truth[chooser.value][0].map((_, k) => k).slice(1);
  // Along 45° N a wave of number k is 28,300 km / k long.
  const title = (k) => `wavenumber ${k} (${number(28300 / k)} km at 45°)`;
  const x = { label: "zonal wavenumber", log: true };
  const meanTruth = (k) => spectra.leads.reduce((sum, _, i) => sum + spectra.truth[chooser.value][i][k], 0) / spectra.leads.length;
  const power = chartCard(left, {
    describe: () => {
      const channel = channels.get(chooser.value);
      const unit = channel.unit.includes(" ") ? `(${channel.unit})²` : channel.unit && `${channel.unit}²`;
      return {
        heading: `Power of ${channel.label}`, label: `Zonal power spectrum of ${channel.longName}`, height: 340, x, title,
        y: { label: unit, log: true, pad: true }, unit,
        series: [
          { name: "Truth", color: "var(--truth)", width: 3, x: waves(), y: waves().map(meanTruth) },
          ...spectra.leads.map((lead, i) => ({ name: `+${lead} h`, color: leadColor(i), width: 1.8, x: waves(), y: spectra.model[chooser.value][i].slice(1) })),
        ],
      };
    },
  });
  const share = chartCard(right, {
    describe: () => {
      const ratios = spectra.leads.map((_, i) => waves().map((k) => spectra.model[chooser.value][i][k] / spectra.truth[chooser.value][i][k]));
      const [low, high] = extent(ratios.flat(), true);
      return {
        heading: "Forecast / truth", label: "Power of forecasts relative to the truth", height: 340, x, title,
        y: { label: "power ratio", log: true, domain: [Math.max(0.02, Math.min(0.5, low / 1.2)), Math.min(50, Math.max(2, high * 1.2))] },
        level: { y: 1 },
        series: spectra.leads.map((lead, i) => ({ name: `+${lead} h`, color: leadColor(i), width: 2, x: waves(), y: ratios[i] })),
      };
    },
  });
}
