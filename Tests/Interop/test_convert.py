"""What `data convert` and `data fetch` write, opened by the tools of its users; training on Anemoi's and WeatherBench's layouts."""
import functools
import http.server
import json
import subprocess
import threading
import time

import numpy as np
import pytest
import xarray as xr
from conftest import JIGSAW, ROOT, jigsaw, settings
from test_anemoi import PEER, PYTHON, folder  # noqa: F401

# One process makes the datasets that these share.
pytestmark = pytest.mark.xdist_group("anemoi")

DEMO = ROOT / "data/demo/simulated.nc"
CONFIG = f"""
data:
  sources: [{{path: {DEMO}}}, {{path: {ROOT}/data/demo/static.nc}}]
  variables: [z, t, msl, t2m]
  levels: [850, 500]
  static: [lsm, orog]
"""
PERIOD = ["--from", "2001-10-01", "--to", "2001-10-20T18"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("convert")
    (place / "demo.yaml").write_text(CONFIG)
    return place


def inspect(path):
    done = subprocess.run([PYTHON, PEER, "inspect", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("layout, ranks, parts", [("fields", 1, (1, 1)), ("fields", 3, (2, 2))])
def test_fields(place, layout, ranks, parts):
    path = place / f"fields-{ranks}.zarr"
    mesh = settings(f"parallel.domain={parts[0]}", f"parallel.tensor={parts[1]}")
    jigsaw("data", "convert", place / "demo.yaml", path, *PERIOD, "--ranks", ranks, *mesh)
    ours = xr.open_zarr(path)
    theirs = xr.open_dataset(DEMO).sel(time=ours.time)
    assert ours.sizes["time"] == 80 and list(ours.level.values) == [850, 500]
    for name in ["z", "t", "msl", "t2m"]:
        expected = theirs[name].sel(level=[850, 500]) if "level" in theirs[name].dims else theirs[name]
        np.testing.assert_allclose(ours[name].values, expected.values, rtol=2e-7)
    assert ours.z.encoding["chunks"] == (1, 2 // parts[1], 32 // parts[0], 64)
    assert ours.lsm.dims == ("latitude", "longitude") and not (place / f"{path.name}.parts").exists()


def test_levels_in_names(place):
    """Arrays t_850, t_500 … on a regular grid are levels to `open`, as they are in Anemoi datasets."""
    data = xr.open_dataset(DEMO).sel(time=slice("2001-10-01", "2001-10-03T18"))
    named = {f"{name}_{level}": data[name].sel(level=level, drop=True) for name in ["z", "t"] for level in [850, 500]}
    xr.Dataset(named | {"msl": data.msl}).to_netcdf(place / "named.nc", unlimited_dims=[])
    (place / "named.yaml").write_text(
        f"data: {{sources: [{{open: {{dataset: {place}/named.nc, frequency: 12h}}}}], variables: [z, t, msl], levels: [850, 500]}}"
    )
    jigsaw("data", "convert", place / "named.yaml", place / "named.zarr")
    ours = xr.open_zarr(place / "named.zarr")
    for name in ["z", "t", "msl"]:
        expected = data[name].isel(time=slice(None, None, 2))
        if "level" in expected.dims:
            expected = expected.sel(level=[850, 500])
        np.testing.assert_allclose(ours[name].values, expected.values, rtol=2e-7)


@pytest.mark.parametrize("form", [2, 3])
def test_anemoi(place, form):
    path = place / f"anemoi-{form}.zarr"
    jigsaw("data", "convert", place / "demo.yaml", path, "--layout", "anemoi", "--zarr-format", form, *PERIOD, "--ranks", 2)
    data = xr.open_dataset(DEMO).sel(time=slice("2001-10-01", "2001-10-20T18"))
    if form == 3:
        # anemoi-datasets needs zarr-python 3 for it, which its environment here lacks.
        import zarr

        root = zarr.open_group(path, mode="r")
        assert root["data"].dtype == "f4" and str(root["dates"][0])[:10] == "2001-10-01"
        np.testing.assert_allclose(root["data"][:, 0, 0], data.t2m.values.reshape(80, -1), rtol=2e-7)
        return
    theirs = inspect(path)
    assert theirs["inspect"] == 0 and "Statistics ready" in theirs["shown"]
    assert theirs["variables"] == ["2t", "lsm", "msl", "orog", "t_500", "t_850", "z_500", "z_850"]
    assert theirs["shape"] == [80, 8, 1, 2048] and theirs["field_shape"] == [32, 64]
    assert theirs["frequency"] == "6:00:00" and theirs["missing"] == []
    np.testing.assert_allclose(theirs["lat"], np.repeat(data.latitude.values, 64))
    fields = {"2t": data.t2m, "msl": data.msl, "t_850": data.t.sel(level=850), "z_500": data.z.sel(level=500)}
    for name, field in fields.items():
        index = theirs["variables"].index(name)
        values = field.values.astype("f8")[:64]  # the first 80 %
        np.testing.assert_allclose(theirs["mean"][index], values.mean(), rtol=1e-6)
        np.testing.assert_allclose(theirs["stdev"][index], values.std(), rtol=1e-5)
        np.testing.assert_allclose(theirs["tendency"][index], (values[1:] - values[:-1]).std(), rtol=1e-4)


def test_interrupted(place):
    """Killed and called again, it ends with the same bytes as in one go, and never has its final name before."""
    whole, broken = place / "whole.zarr", place / "broken.zarr"
    command = ["data", "convert", place / "demo.yaml", "--layout", "anemoi"]
    jigsaw(*command, whole)
    kills = 0
    for attempt in range(60):
        started = subprocess.Popen([JIGSAW, *map(str, command), broken], cwd=ROOT, stderr=subprocess.DEVNULL)
        time.sleep(0.2 * 1.1**attempt)
        started.kill()
        started.wait()
        if broken.exists():
            break  # by its last step, or a step later; that nothing is missing is seen below
        kills += 1
    assert broken.exists() and kills > 0
    files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(broken) for p in broken.rglob("*") if p.is_file())
    for file in files:
        if file.name != ".zattrs":  # it has an identifier of its own
            assert (whole / file).read_bytes() == (broken / file).read_bytes(), file
    assert not any(place.glob("broken.zarr.*"))


def test_any_points(place, folder):  # noqa: F811
    """A reduced grid with all its variables and missing dates goes from one Anemoi dataset into another."""
    for name in ["o16", "missing"]:
        config = place / f"{name}.yaml"
        config.write_text(f"data: {{sources: [{{open: {{dataset: {folder}/{name}.zarr}}}}]}}\n")
        jigsaw("data", "convert", config, place / f"{name}.zarr", "--layout", "anemoi", *settings("parallel.domain=3"))
        ours, theirs = inspect(place / f"{name}.zarr"), inspect(folder / f"{name}.zarr")
        assert ours["inspect"] == 0
        for key in ["shape", "variables", "dates", "missing", "frequency", "field_shape", "sums"]:
            assert ours[key] == theirs[key], key
        np.testing.assert_allclose(ours["lat"], theirs["lat"], rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def weatherbench(place):
    """A store as WeatherBench 2 has them: names, order of dimensions, several times per chunk, below its name there."""
    store = place / "mirror/1959-2023_01_10-6h-64x32_equiangular_conservative.zarr"
    data = xr.open_dataset(DEMO).isel(time=slice(0, 400))
    names = {"z": "geopotential", "t": "temperature", "u": "u_component_of_wind", "msl": "mean_sea_level_pressure",
             "t2m": "2m_temperature"}  # fmt: skip
    shaped = data[list(names)].rename(names).sortby("latitude").astype("f4")
    static = xr.open_dataset(ROOT / "data/demo/static.nc")
    shaped["land_sea_mask"] = static.lsm.sortby("latitude").reset_coords(drop=True).astype("f4")
    shaped = shaped.transpose("time", "level", "longitude", "latitude", missing_dims="ignore").load()
    for variable in shaped.variables.values():
        variable.encoding.clear()
    chunks = {
        name: {"chunks": tuple(50 if d == "time" else n for d, n in zip(variable.dims, variable.shape))}
        for name, variable in shaped.data_vars.items()
    }
    shaped.to_zarr(store, zarr_format=2, consolidated=True, encoding=chunks)
    return store


def test_fetch(place, weatherbench):
    """Over HTTP from a mirror of the public bucket."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(place / "mirror"))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = place / "fetched.zarr"
    jigsaw(
        "data", "fetch", "weatherbench2", path, "--resolution", "64x32", "--years", "2002", "--variables", "z,msl,t2m",
        "--levels", "500", "--static", "lsm", "--folder", f"http://127.0.0.1:{server.server_port}", "--mesh", "2x1",
    )
    server.shutdown()
    ours = xr.open_zarr(path)
    theirs = xr.open_zarr(weatherbench).sel(time="2002")
    assert list(ours.time.values) == list(theirs.time.values) and ours.sizes["time"] > 0
    expected = theirs.geopotential.sel(level=[500]).transpose("time", "level", "latitude", "longitude").sortby("latitude", ascending=False)
    np.testing.assert_array_equal(ours.z.values, expected.values)
    np.testing.assert_array_equal(
        ours.t2m.values, theirs["2m_temperature"].transpose("time", "latitude", "longitude").values[:, ::-1])


@pytest.mark.parametrize("ranks", [1, 3])
def test_each_chunk_is_asked_for_once(place, weatherbench, ranks):
    """`data check` opens a store once per rank, and no chunk of 50 times is asked for by two of them."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(weatherbench)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = place / f"check-{ranks}.yaml"
    config.write_text(f"""
data:
  sources: [{{path: "http://127.0.0.1:{server.server_port}"}}]
  variables: [z, t, u, msl, t2m]
  levels: [850, 500]
  static: [lsm]
""")
    shown = jigsaw("data", "check", config, "--ranks", ranks).stdout
    server.shutdown()
    assert "values: 400 times read" in shown and f"in {5 * 8} chunks" in shown and shown.endswith("fine\n")
    chunks = [path for path in asked if path.split("/")[1] in ["geopotential", "temperature", "u_component_of_wind",
                                                               "mean_sea_level_pressure", "2m_temperature"]]  # fmt: skip
    assert len(chunks) == len(set(chunks)) == 5 * 8
    assert asked.count("/.zmetadata") == ranks


TRAINING = ["training.updates=4", "training.batchSize=2", "training.warmUpUpdates=1", "model.channels=16",
            "model.tokenWidth=16", "model.channelWidth=16", "training.validation.every=4", "training.checkpoint.every=4"]  # fmt: skip


def test_training_on_weatherbench(place, weatherbench):
    config = place / "wb.yaml"
    config.write_text(f"""
run: {place}/wb
data:
  sources: [{{path: {weatherbench}}}]
  variables: [z, t, u, msl, t2m]
  levels: [850, 500]
  static: [lsm]
  train: {{start: 2001-10-01, end: 2001-12-15}}
  validation: {{start: 2001-12-16, end: 2001-12-31}}
  test: {{start: 2002-01-01, end: 2002-01-05}}
model: {{patch: [4, 4]}}
forecast: {{leadHours: 24, everyHours: 24}}
""")
    jigsaw("data", "check", config)
    jigsaw("train", config, *settings(*TRAINING))
    jigsaw("forecast", place / "wb")
    jigsaw("evaluate", place / "wb")
    assert np.isfinite(xr.open_zarr(place / "wb/forecast.zarr").z.values).all()


@pytest.mark.parametrize("name, extra", [("runs", ""), ("third", ""), ("missing", ""), ("regridded", "regrid: {grid: [16, 32]}")])
def test_training_on_anemoi(place, folder, name, extra):  # noqa: F811
    """Genuine datasets, one of them from a reduced grid, train a model with their own statistics."""
    source = "o16" if name == "regridded" else name
    variables = "[2t, msl, z_500]" if name == "regridded" else "[t2m, msl, u10, z, t]"
    levels = "[]" if name == "regridded" else "[850, 500]"
    config = place / f"train-{name}.yaml"
    config.write_text(f"""
run: {place}/train-{name}
data:
  sources: [{{open: {{dataset: {folder}/{source}.zarr{", " + extra if extra else ""}}}}}]
  variables: {variables}
  levels: {levels}
  static: {"[]" if name == "regridded" else "[lsm, zs]"}
  rows: {"16" if name == "regridded" else "18"}
  forcings: [insolation]
  statistics: dataset
  train: {{start: 2020-01-01, end: 2020-01-05}}
  validation: {{start: 2020-01-05T06, end: 2020-01-06}}
  test: {{start: 2020-01-05T06, end: 2020-01-06T18}}
model: {{patch: [2, 4]}}
forecast: {{leadHours: 12, everyHours: 6}}
""")
    jigsaw("data", "check", config)
    jigsaw("train", config, *settings(*TRAINING))
    jigsaw("forecast", place / f"train-{name}")
    log = (place / f"train-{name}/metrics.csv").read_text().splitlines()
    assert len(log) == 5 and (place / f"train-{name}/forecast.zarr").exists()
