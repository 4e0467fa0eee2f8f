"""The memory of whole runs as 'jigsaw plan' tells it beside what they took.

For each setup below (data, model, ranks as threads of one process) `jigsaw plan` runs, then training, forecast and evaluation
are run, and the most memory that each process held (ru_maxrss of a small process's only child) is compared with the plan's figure: of
ranks that are threads of one process what the plan counts once for a process is counted once.
Usage: python3 memory.py LOG [--only NAME ...] [--work FOLDER] [--again] [--page README]; from the project's root after 'make build', with a
Python that has numpy, zarr (2), numcodecs, xarray, netCDF4 and eccodes. LOG gets one line of JSON per run; an existing log is continued.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import replace_results

ROOT = Path(__file__).parents[2]
JIGSAW = ROOT / ".build/release/jigsaw"
BEGIN, END = "<!-- memory: begin -->", "<!-- memory: end -->"
LIMIT = 0.10
# Of the catalogue: how fast a machine is decides no memory.
MACHINE = "sapphire-rapids"
# Held once by the ranks of a process.
SHARED = ("program", "libraries")

DEMO = "configs/demo.yaml"
SHORT = {"training.updates": 12, "training.warmUpUpdates": 2, "training.validation.every": 6, "training.validation.samples": 8,
         "training.checkpoint.every": 6, "forecast.leadHours": 48, "forecast.everyHours": 48}
LARGE = {"model.channels": 1024, "model.tokenWidth": 1024, "model.channelWidth": 2048, "model.blocks": 3, "training.updates": 4}


def random_fields(path, rows, columns, times):
    """Plain random fields in a Zarr store, one chunk for each variable and time."""
    subprocess.run([sys.executable, ROOT / "Benchmarks/parallel/store.py", path, "--rows", str(rows), "--columns", str(columns),
                    "--times", str(times), "--chunks", "field"], check=True)


def points(path, count, dates, variables):
    """A dataset as anemoi-datasets writes it, of waves with noise at points of a spiral around the globe."""
    import numcodecs
    import numpy as np
    import zarr

    random = np.random.default_rng(1)
    group = zarr.open_group(str(path), mode="w")
    latitudes = np.rad2deg(np.arcsin(1 - 2 * (np.arange(count) + 0.5) / count))
    longitudes = np.arange(count) * 137.507764 % 360
    times = np.datetime64("2001-01-01", "s") + np.arange(dates) * np.timedelta64(6, "h")
    for name, values in {"latitudes": latitudes, "longitudes": longitudes, "dates": times}.items():
        group.create_dataset(name, data=values, chunks=values.shape)
    fields = np.empty((dates, len(variables), 1, count), np.float32)
    for date in range(dates):
        for index in range(len(variables)):
            wave = np.sin((1 + index % 5) * np.deg2rad(latitudes) + 0.3 * date) * np.cos(np.deg2rad(longitudes))
            fields[date, index, 0] = 260 + 15 * wave + 0.15 * random.standard_normal(count)
    group.create_dataset("data", data=fields, chunks=(1, len(variables), 1, count), fill_value=np.nan,
                         compressor=numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE))
    for name, values in [("mean", fields.mean((0, 2, 3))), ("stdev", fields.std((0, 2, 3))), ("minimum", fields.min((0, 2, 3))),
                         ("maximum", fields.max((0, 2, 3)))]:
        group.create_dataset(name, data=values.astype("f8"))
    group.attrs.update(
        {"variables": variables, "frequency": "6h", "resolution": "spiral", "start_date": str(times[0]), "end_date": str(times[-1]),
         "ensemble_dimension": 2, "flatten_grid": True, "missing_dates": [], "field_shape": [count],
         "data_request": {"area": [90, 0, -90, 360], "grid": "spiral", "param_level": {}, "param_step": {}},
         "variables_metadata": {name: {} for name in variables}})


def grib(path):
    """The last ten weeks of the demo's fields as GRIB 2, a message for each field and time."""
    import eccodes
    import numpy as np
    import xarray

    data = xarray.open_dataset(ROOT / "data/demo/simulated.nc").sel(time=slice("2002-02-01", None))
    latitude, longitude = data.latitude.values, data.longitude.values
    grid = {"Ni": len(longitude), "Nj": len(latitude), "latitudeOfFirstGridPointInDegrees": latitude[0],
            "latitudeOfLastGridPointInDegrees": latitude[-1], "longitudeOfFirstGridPointInDegrees": longitude[0],
            "longitudeOfLastGridPointInDegrees": longitude[-1], "iDirectionIncrementInDegrees": longitude[1] - longitude[0],
            "jDirectionIncrementInDegrees": latitude[0] - latitude[1]}
    names = {"t2m": "2t", "u10": "10u", "v10": "10v"}
    with open(path, "wb") as file:
        for name in ["z", "t", "u", "v", "q", "msl", "t2m", "u10", "v10"]:
            fields = data[name].values
            for level in data.level.values if "level" in data[name].dims else [None]:
                handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
                for key, value in (grid | {"shortName": names.get(name, name), "bitsPerValue": 16}).items():
                    eccodes.codes_set(handle, key, value)
                if level is not None:
                    eccodes.codes_set(handle, "level", int(level))
                planes = fields if level is None else fields[:, list(data.level.values).index(level)]
                for time_, plane in zip(data.time.values, planes):
                    text = np.datetime_as_string(time_, "m")
                    eccodes.codes_set(handle, "dataDate", int(text[:10].replace("-", "")))
                    eccodes.codes_set(handle, "dataTime", int(text[11:].replace(":", "")))
                    eccodes.codes_set_values(handle, plane.astype("f8").ravel())
                    eccodes.codes_write(handle, file)
                eccodes.codes_release(handle)


def convert(path, *options):
    run([JIGSAW, "data", "convert", DEMO, path, *options])


def period(days, test):
    """Of random data from 2001-01-01 on: training, then two days of validation, then the test period."""
    def day(number):
        return f"2001-01-{number:02}"
    return {"data.train.start": day(1), "data.train.end": day(days), "data.validation.start": day(days + 1),
            "data.validation.end": day(days + 3), "data.test.start": day(days + 4), "data.test.end": day(days + 4 + test)}


SOURCES = {
    "netcdf": (None, {}),
    "zarr": (lambda path: convert(path), {"data.static": "[]"}),
    "grib": (grib, {"data.static": "[]", "data.train.start": "2002-02-01"}),
    "anemoi": (lambda path: convert(path, "--layout", "anemoi"), {"data.static": "[]"}),
    "random 64x128": (lambda path: random_fields(path, 64, 128, 100), {
        "data.variables": "[z, t, u, v, q, msl, t2m]", "data.levels": "[850, 700, 500, 300]", "data.static": "[]"} | period(12, 8)),
    "points": (lambda path: points(path, 10_000, 100, [f"{v}_{p}" for v in "ztuvq" for p in (500, 850)] + ["msl", "2t"]), {
        "data.variables": "[z, t, u, v, q, msl, t2m]", "data.levels": "[850, 500]", "data.static": "[]"} | period(12, 8)),
}

# name: configuration, source, mesh (replica, domain, tensor), threads per rank, further settings
CASES = {
    "demo, NetCDF": (DEMO, "netcdf", (1, 1, 1), 1, {}),
    "demo, NetCDF, 2 threads, forecasts to NetCDF": (DEMO, "netcdf", (1, 1, 1), 2, {"forecast.format": "netcdf"}),
    "D 1024, NetCDF, 2 threads": (DEMO, "netcdf", (1, 1, 1), 2, LARGE),
    "demo, NetCDF, nothing kept": (DEMO, "netcdf", (1, 1, 1), 1, {"data.cacheGiB": 0}),
    "demo, Zarr": (DEMO, "zarr", (1, 1, 1), 1, {}),
    "demo, Zarr, 2 replicas": (DEMO, "zarr", (2, 1, 1), 1, {}),
    "demo, Zarr, 2 tensor ranks": (DEMO, "zarr", (1, 1, 2), 1, {}),
    "demo, Anemoi dataset": (DEMO, "anemoi", (1, 1, 1), 1, {}),
    "64 x 128, 22 fields": (DEMO, "random 64x128", (1, 1, 1), 2, {"model.patch": "[4, 4]"}),
    "64 x 128, 22 fields, D 1024": (DEMO, "random 64x128", (1, 1, 1), 2, {"model.patch": "[4, 4]"} | LARGE),
    "64 x 128, 22 fields, 2 domain ranks": (DEMO, "random 64x128", (1, 2, 1), 1, {"model.patch": "[4, 4]"}),
    "64 x 128, 22 fields, 32 MiB kept": (DEMO, "random 64x128", (1, 1, 1), 1, {"model.patch": "[4, 4]", "data.cacheGiB": 0.03125}),
    "demo, GRIB": (DEMO, "grib", (1, 1, 1), 1, {}),
    "demo, NetCDF, bf16": (DEMO, "netcdf", (1, 1, 1), 1, {"precision": "bf16"}),
    "demo, NetCDF, no spectra, leads of a day": (DEMO, "netcdf", (1, 1, 1), 1, {
        "evaluation.spectra": "false", "evaluation.leadHours": "[24, 48]"}),
    "graph transformer, NetCDF": ("configs/graph-demo.yaml", "netcdf", (1, 1, 1), 2, {"training.updates": 3}),
    "graph transformer, 10 000 points": ("configs/graph-demo.yaml", "points", (1, 1, 1), 2, {
        "training.updates": 3, "model.graph.level": 4, "model.graph.encoderCutOff": 0.6, "training.batchSize": 1,
        "training.rollLongitudes": "false"}),
    "graph transformer, 10 000 points, 2 domain ranks": ("configs/graph-demo.yaml", "points", (1, 2, 1), 1, {
        "training.updates": 3, "model.graph.level": 4, "model.graph.encoderCutOff": 0.6, "training.batchSize": 1,
        "training.rollLongitudes": "false"}),
}


# Starts a command and writes its peak memory, KiB, into a file. The peak of a process counts the one that started it, too: this one is small.
STARTER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


def run(command):
    """Standard output, and the most memory that the process held, bytes."""
    command = [str(part) for part in command]
    with tempfile.NamedTemporaryFile("r") as peak:
        done = subprocess.run([sys.executable, "-S", "-c", STARTER, peak.name, *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout, int(peak.read()) * 1024


def settings(values):
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def process_bytes(memory, ranks):
    shared = sum(memory[name] for name in SHARED)
    return shared + ranks * (memory["total"] - shared)


class Bench:
    """Runs setups in a folder."""

    def __init__(self, work):
        self.work = work

    def source(self, name):
        """The settings of a source, which is made if it is not there."""
        make, more = SOURCES[name]
        if make is None:
            return more
        path = self.work / f"{name.replace(' ', '-')}.{'grib' if make is grib else 'zarr'}"
        if not path.exists():
            make(path)
        return more | {"data.sources": f"[{{path: {path}}}]"}

    def plan(self, name):
        """What the plan says of a setup: bytes by part, by verb; and the settings of its runs."""
        config, source, mesh, threads, more = CASES[name]
        values = SHORT | self.source(source) | more | {
            "run": self.work / "run", "threads": threads, "parallel.domain": mesh[1], "parallel.tensor": mesh[2]}
        answer = json.loads(run([JIGSAW, "plan", config, *settings(values), "--machine", MACHINE, "--threads", threads,
                                 "--mesh", "x".join(map(str, mesh)), "--json", "-"])[0])
        planned = {"train": answer["best"]["memory"], "forecast": answer["forecastMemory"], "evaluate": answer["evaluationMemory"]}
        return planned, values

    def case(self, name):
        """A record for each verb of a setup, predicted and measured."""
        config, _, mesh, threads, _ = CASES[name]
        folder, ranks = self.work / "run", mesh[0] * mesh[1] * mesh[2]
        shutil.rmtree(folder, ignore_errors=True)
        planned, values = self.plan(name)
        commands = {"train": [config, *settings(values)], "forecast": [folder], "evaluate": [folder]}
        for verb, memory in planned.items():
            _, measured = run([JIGSAW, verb, *commands[verb], *(["--ranks", ranks] if ranks > 1 else [])])
            yield dict(name=name, verb=verb, ranks=ranks, threads=threads, predictedBytes=process_bytes(memory, ranks),
                       measuredBytes=measured, parts=memory, measured=time.strftime("%Y-%m-%dT%H:%M:%S"),
                       processors=os.cpu_count())


class Log:
    """Lines of JSON, one for each run."""

    def __init__(self, path):
        self.path = path
        self.records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def add(self, record):
        self.records.append(record)
        with open(self.path, "a") as file:
            file.write(json.dumps(record) + "\n")
        show(record)

    def plan_again(self, bench):
        """Asks the plan anew for all setups that were measured, and rewrites the log."""
        for name in dict.fromkeys(record["name"] for record in self.records):
            planned, _ = bench.plan(name)
            for record in self.records:
                if record["name"] == name:
                    record["parts"] = planned[record["verb"]]
                    record["predictedBytes"] = process_bytes(record["parts"], record["ranks"])
                    show(record)
        self.path.write_text("".join(json.dumps(record) + "\n" for record in self.records))


def error(record):
    """By how much the plan is off, of what was measured."""
    return record["predictedBytes"] / record["measuredBytes"] - 1


def show(record):
    parts = {part: round(size * 1e-6) for part, size in record["parts"].items() if isinstance(size, int) and size > 5e5}
    print(f"{record['name']}, {record['verb']}: {record['predictedBytes'] * 1e-6:.0f} and {record['measuredBytes'] * 1e-6:.0f} MB "
          f"({100 * error(record):+.1f} %) {parts}", flush=True)


def page(records, path):
    lines = [f"{len(records)} runs, {records[0]['measured'][:10]}, {records[0]['processors']} processors.", "",
             "| run | verb | predicted | measured | |", "|---|---|---:|---:|---:|"]
    for record in records:
        lines.append(f"| {record['name']} | {record['verb']} | {record['predictedBytes'] * 1e-6:.0f} MB | "
                     f"{record['measuredBytes'] * 1e-6:.0f} MB | {100 * error(record):+.1f} % |")
    sizes = [abs(error(record)) for record in records]
    lines += ["", f"{sum(size <= LIMIT for size in sizes)} of {len(sizes)} within {100 * LIMIT:.0f} %, median "
              f"{100 * statistics.median(sizes):.1f} %, worst {100 * max(sizes):.1f} %."]
    replace_results(path, BEGIN, END, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--only", nargs="+", help="setups by name")
    parser.add_argument("--work", type=Path, help="folder for data and runs, kept; default: one of its own")
    parser.add_argument("--again", action="store_true", help="ask the plan anew for what the log has, and measure nothing")
    parser.add_argument("--page", help="write the table into this page, measure nothing")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = (a.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        bench, log = Bench(work), Log(a.log)
        if a.page:
            return page(log.records, a.page)
        if a.again:
            return log.plan_again(bench)
        for name in a.only or CASES:
            if sum(record["name"] == name for record in log.records) < 3:
                log.records = [record for record in log.records if record["name"] != name]
                for record in bench.case(name):
                    log.add(record)


if __name__ == "__main__":
    main()
