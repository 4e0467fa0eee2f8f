// Training curves; then everything is started.

/** Means over `window` neighbours, fewer at the ends; of logarithms, since losses differ by factors. */
function smoothed(values, window) {
  const half = Math.floor(window / 2);
  return values.map((_, i) => {
    let [sum, count] = [0, 0];
    for (let k = Math.max(0, i - half); k <= Math.min(values.length - 1, i + half); k += 1) {
      if (values[k] > 0) [sum, count] = [sum + Math.log(values[k]), count + 1];
    }
    return count > 0 ? Math.exp(sum / count) : null;
  });
}

function startTraining(host) {
  const { update, loss, learningRate, gradientNorm, stages, validation, block } = report.training;
  const card = () => make("div", { class: "card" });
  const x = { label: "update", domain: [0, update.at(-1)] };
  const title = (n) => `update ${n.toLocaleString("en-US")}`;
  const window = Math.max(5, Math.round(update.length / 30));
  const marks = stages.map((stage) => ({ x: stage.update, text: `${stage.steps} step${stage.steps === 1 ? "" : "s"}` }));
  const raw = block > 1 ? `Mean of ${block} updates` : "Each update";
  const noisy = (values) => [
    { name: raw, color: "var(--raw)", width: 1.2, x: update, y: values },
    { name: `Mean of ${window * block}`, color: "var(--model)", width: 2.5, x: update, y: smoothed(values, window) },
  ];
  const first = card();
  const second = card();
  host.append(make("div", { class: "row" }, first, second));
  chartCard(first, {
    heading: "Loss",
    describe: () => ({
      label: "Training and validation loss", height: 320, x, title, marks, y: { label: "loss", log: true, pad: true },
      series: [...noisy(loss), ...(validation.update.length > 0
        ? [{ name: "Validation", color: "var(--persistence)", width: 2, dots: true, x: validation.update, y: validation.loss }] : [])],
    }),
  });
  chartCard(second, {
    heading: "Learning rate",
    describe: () => ({
      label: "Learning rate", height: 320, x, title, y: { label: "rate", zero: true, pad: true },
      series: [{ name: "Learning rate", color: "var(--model)", width: 2, x: update, y: learningRate }],
    }),
  });

  const third = card();
  const fourth = card();
  const names = Object.keys(validation.rmse).length > 0 ? [...channels.keys()].filter((name) => validation.rmse[name]) : [];
  host.append(make("div", { class: "row" }, ...(names.length > 0 ? [third, fourth] : [fourth])));
  chartCard(fourth, {
    heading: "Gradient norm",
    describe: () => ({ label: "Gradient norm", height: 300, x, title, marks, y: { label: "norm", log: true, pad: true }, series: noisy(gradientNorm) }),
  });
  if (names.length === 0) return;
  if (validation.update.length === 1) {
    // One point makes no curve; numbers of all fields say more.
    third.append(make("h3", {}, `One-step RMSE on the validation period, ${title(validation.update[0])}`),
      make("dl", { class: "values" }, ...names.map((name) => make("div", {}, make("dt", {}, channels.get(name).label),
        make("dd", {}, withUnit(number(validation.rmse[name][0]), channels.get(name).unit))))));
    return;
  }
  const chooser = fieldChooser(names, () => chart.update());
  third.append(make("div", { class: "controls" }, chooser.element));
  const chart = chartCard(third, {
    describe: () => {
      const channel = channels.get(chooser.value);
      return {
        heading: `One-step RMSE of ${channel.label} on the validation period`, label: "One-step RMSE against updates", height: 240, x, title,
        y: { label: withUnit("RMSE", channel.unit && `(${channel.unit})`), pad: true }, unit: channel.unit,
        series: [{ name: "RMSE", color: "var(--persistence)", width: 2, dots: true, x: validation.update, y: validation.rmse[chooser.value] }],
      };
    },
  });
}

const parts = { "map-view": startMaps, "lead-view": startLeads, "scorecard-view": startScorecard, "spectra-view": startSpectra, "training-view": startTraining };
for (const [id, start] of Object.entries(parts)) {
  const host = document.getElementById(id);
  if (host) start(host);
}
