"""What a run folder holds, opened by the tools that users have for it."""
import csv
import json

import numpy as np
import xarray as xr
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import ROOT, jigsaw


def test_safetensors_opens_checkpoints(run):
    checkpoint = run.folder / "checkpoints/update-0000006"
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    weights = load_file(checkpoint / "model.safetensors")
    assert weights["encoder.weight"].shape == (32, 8 * (14 + 2))
    assert weights["decoder.weight"].shape == (8 * 14, 2 * 32)
    assert weights["blocks.0.tokens.first.weight"].shape == (32, 256)
    assert sum(w.size for w in weights.values()) == manifest["parameterCount"]
    assert all(np.isfinite(w).all() and w.dtype == np.float32 for w in weights.values())
    average = load_file(checkpoint / "average.safetensors")
    moments = load_file(checkpoint / "optimizer.safetensors")
    assert average.keys() == weights.keys()
    assert set(moments) == {f"{m}.{n}" for m in ("moment1", "moment2") for n in weights}
    assert any((average[n] != weights[n]).any() for n in weights)


def test_tensorboard_opens_events(run):
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"train/loss", "train/gradient_norm", "train/learning_rate", "validation/loss"} <= set(tags)
    with open(run.folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    losses = events.Scalars("train/loss")
    assert [e.step for e in losses] == [int(r["update"]) for r in rows] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose([e.value for e in losses], [float(r["loss"]) for r in rows], rtol=1e-6)


def test_statistics_agree_with_numpy(run):
    statistics = json.loads((run.folder / "statistics.json").read_text())
    ds = xr.open_dataset(ROOT / "data/demo/simulated.nc").sel(time=slice("2001-10-01", "2001-12-31T18"))
    for name, field in {"t_850": ds.t.sel(level=850), "msl": ds.msl, "q_500": ds.q.sel(level=500)}.items():
        values = field.values.astype(np.float64)
        row = statistics["channels"][name]
        np.testing.assert_allclose(row["mean"], values.mean(), rtol=1e-7)
        np.testing.assert_allclose(row["deviation"], values.std(), rtol=1e-6)
        np.testing.assert_allclose([row["minimum"], row["maximum"]], [values.min(), values.max()], rtol=1e-6)
        np.testing.assert_allclose(row["tendencyDeviation"], np.diff(values, axis=0).std(), rtol=1e-5)


def test_resolved_configuration_is_complete_and_valid(run):
    shown = jigsaw("config", "show", run.folder / "config.yaml").stdout
    again = jigsaw("config", "show", "/dev/stdin", input=shown, check=False)
    assert "updates: 6" in shown and "rollLongitudes: true" in shown
    assert again.returncode != 0 or again.stdout == shown
    json.loads(jigsaw("config", "schema").stdout)
