"""What 'jigsaw plan' says against what 'jigsaw bench step' measures, on this machine.

First 'jigsaw bench machine' measures the machine, also the link between two processes; no step is timed for it. Then for each case
of a model, a mesh and a way of training the update is predicted and measured, in turn. At last, on two ranks, every layout is
measured and compared with the one that the plan takes.
Usage: python3 accuracy.py LOG [--updates N] [--only NAME ...] [--page README]; from the project's root after 'make build', with nothing
else running. LOG gets one line of JSON per measurement; an existing log is continued.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import replace_results

ROOT = Path(__file__).parents[2]
JIGSAW = ROOT / ".build/release/jigsaw"
CONFIG = "Benchmarks/peers/step.yaml"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def model(d, patch, grid="128x256", variables=69, output="residual", width=None, **more):
    return dict(grid=grid, variables=variables, settings={
        "model.patch": f"[{patch[0]}, {patch[1]}]", "model.channels": d, "model.tokenWidth": width or d // 2,
        "model.channelWidth": d, "model.blocks": 3, "model.output": output} | more)


SMALL = model(64, (2, 4), grid="32x64", variables=14, width=128)
CHECKPOINTS = {"training.checkpointActivations": "true"}
SPLIT = {"parallel.splitOptimizer": "true"}

# name: model, mesh (replica, domain, tensor), threads per rank, further settings
CASES = {
    "d256-t2048": (model(256, (4, 4)), (1, 1, 1), 1, {}),
    "d256-t2048, 2 threads": (model(256, (4, 4)), (1, 1, 1), 2, {}),
    "d1024-t2048": (model(1024, (4, 4)), (1, 1, 1), 1, {}),
    "d1024-t2048, 2 threads": (model(1024, (4, 4)), (1, 1, 1), 2, {}),
    "d512-t512, batch 4": (model(512, (8, 8)), (1, 1, 1), 1, {"training.batchSize": 4}),
    "d512-t2048, batch 2, checkpointing": (model(512, (4, 4)), (1, 1, 1), 1, {"training.batchSize": 2} | CHECKPOINTS),
    "d512-t4096, blend": (model(512, (2, 4), output="blend"), (1, 1, 1), 1, {}),
    "d64-t256 (5.6°), batch 16": (SMALL, (1, 1, 1), 1, {"training.batchSize": 16}),
    "d512-t2048, 1 x 1 x 2": (model(512, (4, 4)), (1, 1, 2), 1, {}),
    "d512-t2048, 1 x 2 x 1": (model(512, (4, 4)), (1, 2, 1), 1, {}),
    "d512-t2048, 2 x 1 x 1": (model(512, (4, 4)), (2, 1, 1), 1, {}),
    "d256-t512, 2 x 1 x 1, split optimiser": (model(256, (8, 8)), (2, 1, 1), 1, SPLIT),
    "d1024-t2048, 1 x 2 x 1": (model(1024, (4, 4)), (1, 2, 1), 1, {}),
    "d1024-t2048, 1 x 1 x 2, checkpointing": (model(1024, (4, 4)), (1, 1, 2), 1, CHECKPOINTS),
    "d64-t256 (5.6°), batch 16, 2 x 1 x 1": (SMALL, (2, 1, 1), 1, {"training.batchSize": 16}),
    "d256-t2048, blend, 1 x 2 x 1": (model(256, (4, 4), output="blend"), (1, 2, 1), 1, {}),
}

# Models whose best layout on two ranks is looked for by measuring all.
SEARCHES = {"d512-t2048": model(512, (4, 4)), "d256-t512": model(256, (8, 8)), "d64-t256 (5.6°)": SMALL}
LAYOUTS = [((1, 1, 2), {}), ((1, 2, 1), {}), ((2, 1, 1), {}), ((2, 1, 1), SPLIT)]
LAYOUTS += [(mesh, more | CHECKPOINTS) for mesh, more in LAYOUTS]


def run(command, ranks=1):
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    command = [str(part) for part in command]
    if ranks > 1:
        command = ["mpirun", "-n", str(ranks), "--bind-to", "core"] + command
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def arguments(shape, mesh, threads, more):
    settings = shape["settings"] | more | {"parallel.domain": mesh[1], "parallel.tensor": mesh[2]}
    found = ["--grid", shape["grid"], "--variables", shape["variables"], "--threads", threads]
    for name, value in settings.items():
        found += ["--set", f"{name}={value}"]
    return found


def predict(machine, shape, mesh, threads, more):
    text = run([JIGSAW, "plan", CONFIG, "--machine", machine, "--mesh", "x".join(map(str, mesh)), "--no-reading", "--json", "-",
                *arguments(shape, mesh, threads, more)])
    best = json.loads(text)["best"]
    return dict(seconds=best["secondsPerUpdate"], memory=best["memory"]["total"], samplesPerSecond=best["samplesPerSecond"])


def measure(shape, mesh, threads, more, updates):
    ranks = mesh[0] * mesh[1] * mesh[2]
    command = [JIGSAW, "bench", "step", CONFIG, "--updates", updates, "--json", "-", *arguments(shape, mesh, threads, more)]
    if ranks == 1:
        command = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads])), *command]
    found = json.loads(run(command, ranks))
    return dict(seconds=found["secondsPerStep"], memory=found["peakResidentBytes"],
                samplesPerSecond=found["samplesPerStep"] / found["secondsPerStep"])


class Log:
    def __init__(self, path):
        self.path = Path(path)
        self.records = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def find(self, kind, name):
        return next((record for record in self.records if record["kind"] == kind and record["name"] == name), None)

    def add(self, record):
        self.records.append(record)
        with open(self.path, "a") as file:
            file.write(json.dumps(record) + "\n")


def measured_machine(log):
    """Path of a file with this machine's rates: of one process, and of the link between two."""
    record = log.find("machine", "here")
    path = Path(tempfile.mkdtemp()) / "machine.json"
    if record is None:
        run([JIGSAW, "bench", "machine", "--output", path])
        run([JIGSAW, "bench", "machine", "--output", path], ranks=2)
        log.add(dict(kind="machine", name="here", started=time.strftime("%Y-%m-%dT%H:%M:%S"), rates=json.loads(path.read_text())))
    else:
        path.write_text(json.dumps(record["rates"]))
    return path


def off(predicted, measured):
    return f"{100 * (predicted / measured - 1):+.1f} %"


def page(log, path):
    """The tables, between the markers of the page."""
    machine = log.find("machine", "here")
    lines = [f"{machine['rates']['processor']}, {machine['rates']['cpus']} cores; {machine['started'][:10]}.", "",
             "| case | predicted | measured | | memory: predicted | measured | |", "|---|---:|---:|---:|---:|---:|---:|"]
    cases = [record for record in log.records if record["kind"] == "case"]
    for record in cases:
        p, m = record["predicted"], record["measured"]
        lines.append(f"| {record['name']} | {1e3 * p['seconds']:.4g} ms | {1e3 * m['seconds']:.4g} ms | {off(p['seconds'], m['seconds'])} "
                     f"| {p['memory'] * 1e-6:.0f} MB | {m['memory'] * 1e-6:.0f} MB | {off(p['memory'], m['memory'])} |")
    for key, what, most in (("seconds", "times", 0.15), ("memory", "memory", 0.10)):
        errors = [abs(r["predicted"][key] / r["measured"][key] - 1) for r in cases]
        lines.append("")
        lines.append(f"{what.capitalize()}: {sum(e <= most for e in errors)} of {len(errors)} within {100 * most:.0f} %, median "
                     f"{100 * statistics.median(errors):.1f} %, worst {100 * max(errors):.1f} %.")
    for name in SEARCHES:
        found = [r for r in log.records if r["kind"] == "layout" and r["name"].startswith(f"{name}:")]
        if not found:
            continue
        best = max(r["measured"]["samplesPerSecond"] for r in found)
        choice = max(found, key=lambda r: r["predicted"]["samplesPerSecond"])
        lines += ["", f"**{name} on two ranks**: the plan takes {choice['name'].split(': ')[1]}, "
                  f"{100 * choice['measured']['samplesPerSecond'] / best:.1f} % of the fastest measured.", "",
                  "| layout | samples/s predicted | measured |", "|---|---:|---:|"]
        lines += [f"| {r['name'].split(': ')[1]} | {r['predicted']['samplesPerSecond']:.3g} | {r['measured']['samplesPerSecond']:.3g} |"
                  for r in sorted(found, key=lambda r: -r["measured"]["samplesPerSecond"])]
    replace_results(path, BEGIN, END, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--only", nargs="+", help="cases or searches by name")
    parser.add_argument("--page", help="write the tables into this page, measure nothing")
    a = parser.parse_args()
    log = Log(a.log)
    if a.page:
        return page(log, a.page)
    machine = measured_machine(log)

    def compare(kind, name, shape, mesh, threads, more):
        if log.find(kind, name):
            return
        record = dict(kind=kind, name=name, predicted=predict(machine, shape, mesh, threads, more),
                      measured=measure(shape, mesh, threads, more, a.updates))
        log.add(record)
        p, m = record["predicted"], record["measured"]
        print(f"{time.strftime('%H:%M:%S')} {name}: {p['seconds']:.4g} and {m['seconds']:.4g} s ({off(p['seconds'], m['seconds'])}), "
              f"{p['memory'] * 1e-6:.0f} and {m['memory'] * 1e-6:.0f} MB ({off(p['memory'], m['memory'])})", flush=True)

    for name, case in CASES.items():
        if not a.only or name in a.only:
            compare("case", name, *case)
    for name, shape in SEARCHES.items():
        for mesh, more in LAYOUTS if not a.only or name in a.only else []:
            words = [" × ".join(map(str, mesh))] + ["split optimiser"] * (SPLIT.keys() <= more.keys()) \
                + ["checkpointing"] * (CHECKPOINTS.keys() <= more.keys())
            compare("layout", f"{name}: {', '.join(words)}", shape, mesh, 1, more)


main()
