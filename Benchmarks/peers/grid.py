"""jigsaw, PyTorch and JAX in turn, the same model, batch and threads: what grid.sh runs. Needs torch==2.13.0, jax==0.10.2 and Linux.

Every measurement is a process of its own, bound to as many cores as it has threads. Within a repetition the tools follow each
other, so that other load falls on all of them. What OUT already holds is not measured again. The tools' FP32 losses must agree,
and so must the counts of parameters; else this stops.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
JIGSAW = ROOT / ".build/release/jigsaw"
GRID, VARIABLES, AUXILIARIES, BLOCKS = (128, 256), 69, 3, 3
# Tokens from the patch: 512 of 8 x 8 points to 16 384 of 1 x 2. H_t = D/2, H_c = D.
PATCHES = {512: (8, 8), 2048: (4, 4), 4096: (2, 4), 8192: (2, 2), 16384: (1, 2)}
SIZES = {f"d{d}-t{t}": (d, t) for d, t in [
    (256, 512), (256, 2048), (256, 16384), (512, 4096), (1024, 512), (1024, 2048), (1024, 8192), (2048, 2048), (4096, 512)]}
TOOLS = ["jigsaw", "eager", "compiled", "jax"]
COMPARED = 3  # losses
LEAD_HOURS = 240


def training_flops(d, t):
    """About: three times the products of the forward pass."""
    points = GRID[0] * GRID[1]
    return 3 * (18 * t * d * d + 2 * points * d * (3 * VARIABLES + AUXILIARIES))


def run(command, threads=None, **environment):
    """Output and seconds of a command, on the first `threads` cores that are free to use."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True,
                          env=os.environ | {k: str(v) for k, v in environment.items()},
                          preexec_fn=lambda: os.sched_setaffinity(0, cores))
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout, seconds


class Log:
    def __init__(self, path):
        self.path = Path(path)
        self.records = []
        if self.path.exists():
            self.records = [json.loads(line) for line in self.path.read_text().splitlines() if line.strip()]

    def has(self, key):
        return any(all(record.get(name) == value for name, value in key.items()) for record in self.records)

    def add(self, key, found):
        record = key | found
        self.records.append(record)
        with open(self.path, "a") as file:
            file.write(json.dumps(record) + "\n")
        what = " ".join(str(value) for value in key.values())
        print(f"{time.strftime('%H:%M:%S')} {what}: {found['seconds']:.4g} s", flush=True)


def jigsaw_command(size, threads, precision, kind, updates, output):
    d, t = SIZES[size]
    patch = PATCHES[t]
    settings = {"model.patch": f"[{patch[0]}, {patch[1]}]", "model.channels": d, "model.tokenWidth": d // 2,
                "model.channelWidth": d, "model.blocks": BLOCKS, "model.output": output}
    if precision != "fp32":
        settings["precision"] = precision
    command = [JIGSAW, "bench", "step", "Benchmarks/peers/step.yaml", "--grid", f"{GRID[0]}x{GRID[1]}", "--variables",
               VARIABLES, "--threads", threads, "--updates", updates, "--json", "-"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    return command + (["--forecast"] if kind == "forecast" else [])


def peer_command(size, threads, precision, kind, updates, output, tool):
    d, t = SIZES[size]
    patch = PATCHES[t]
    options = dict(rows=GRID[0], columns=GRID[1], patch_rows=patch[0], patch_columns=patch[1], variables=VARIABLES,
                   auxiliaries=AUXILIARIES, channels=d, token_width=d // 2, channel_width=d, blocks=BLOCKS, batch=1,
                   threads=threads, updates=updates, precision=precision, output=output)
    command = [sys.executable, f"Benchmarks/peers/{'jax' if tool == 'jax' else 'pytorch'}_step.py", "--json"]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value]
    return command + (["--compile"] if tool == "compiled" else []) + (["--forecast"] if kind == "forecast" else [])


def measure(key, updates, output):
    arguments = key["size"], key["threads"], key["precision"], key["kind"], updates, output
    if key["tool"] == "jigsaw":
        text, _ = run(jigsaw_command(*arguments), key["threads"])
        found = json.loads(text)
        kept = {name: found[name] for name in (
            "version", "losses", "flopsPerStep", "bytesPerStep", "peakFLOPsPerSecond", "poolAllocationsPerStep",
            "pageFaultsPerStep", "peakResidentBytes", "peakPoolBytes", "phases", "products")}
        return kept | {"seconds": found["secondsPerStep"], "parameters": found["model"]["parameters"]}
    text, _ = run(peer_command(*arguments, key["tool"]), key["threads"], OMP_NUM_THREADS=key["threads"])
    found = json.loads(text.splitlines()[-1])
    kept = {name: found[name] for name in ("version", "losses", "parameters", "peakResidentBytes")}
    return kept | {"seconds": found["secondsPerStep"]}


def check_same(records):
    """That all tools computed the same thing."""
    first = records[0]
    for record in records[1:]:
        pair = f"{first['tool']} and {record['tool']} at {first['size']}"
        if record["parameters"] != first["parameters"]:
            sys.exit(f"error: {pair} have {first['parameters']} and {record['parameters']} parameters")
        tolerance = 2e-5 if record["precision"] == first["precision"] == "fp32" else 2e-2
        for a, b in zip(first["losses"][:COMPARED], record["losses"][:COMPARED]):
            if not abs(a - b) <= tolerance * abs(a):
                sys.exit(f"error: losses of {pair} differ: {first['losses'][:COMPARED]}, {record['losses'][:COMPARED]}")


def steps(log, a, size, threads, kind):
    knows_bf16 = '"precision"' in run([JIGSAW, "config", "schema"])[0]
    tools = [(tool, precision) for precision in a.precisions for tool in TOOLS
             if tool in a.tools and (precision == "fp32" or (knows_bf16 if tool == "jigsaw" else precision == "bf16"))]
    flops = training_flops(*SIZES[size]) / (3 if kind == "forecast" else 1)
    updates = int(min(40, max(3, a.seconds * 50e9 * threads / flops)))
    for repetition in range(a.repetitions):
        for tool, precision in tools:
            key = dict(kind=kind, size=size, threads=threads, output=a.output, precision=precision, tool=tool,
                       repetition=repetition)
            if log.has(key):
                continue
            if tool == "compiled" and not log.has(key | {"repetition": 0}):
                # Compiles into a cache, from which the measured processes take it: not their memory nor their time.
                measure(key, 1, a.output)
            log.add(key, measure(key, updates, a.output))
    if kind == "training":
        same = dict(kind=kind, size=size, threads=threads, output=a.output, repetition=0)
        check_same([r for r in log.records if all(r.get(name) == value for name, value in same.items())])


def startup(log, a):
    """From nothing: programs that do nothing, and a forecast of ten days at 5.6 degrees by the demo's model."""
    commands = {"jigsaw --version": [JIGSAW, "--version"], "import torch": [sys.executable, "-c", "import torch"]}
    if not log.has(dict(kind="startup", tool="jigsaw forecast", repetition=a.repetitions - 1)):
        folder = tempfile.mkdtemp()
        try:
            run([JIGSAW, "train", "configs/demo.yaml", "--set", f"run={folder}/run", "--set", "training.updates=2",
                 "--set", "training.warmUpUpdates=1", "--set", "training.validation.samples=1"])
            commands["jigsaw forecast"] = [
                JIGSAW, "forecast", f"{folder}/run", "--from", "2002-03-20T00", "--lead", LEAD_HOURS, "--overwrite"]
            for repetition in range(a.repetitions):
                for tool, command in commands.items():
                    key = dict(kind="startup", tool=tool, repetition=repetition)
                    if not log.has(key):
                        log.add(key, {"seconds": run(command)[1]})
        finally:
            shutil.rmtree(folder)


def cpu_field(name):
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith(name)), "unknown")


def has_bf16_units():
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(cpu_field("flags").split())


def main():
    parser = argparse.ArgumentParser(prog="grid.sh PYTHON_WITH_PEERS", description=__doc__.splitlines()[0])
    parser.add_argument("out", help="log, JSON lines")
    parser.add_argument("--only", nargs="+", choices=[*SIZES, "startup"], default=[*SIZES, "startup"], metavar="SIZE",
                        help=f"of {', '.join(SIZES)}, startup")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kinds", nargs="+", choices=["training", "forecast"], default=["training", "forecast"])
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16", "bf16x3"], default=None,
                        help="default: fp32, and bf16 where the CPU has units for it, since without them the peers take "
                             "minutes; bf16x3 is jigsaw's alone")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    parser.add_argument("--output", choices=["residual", "blend"], default="residual", help="of the model")
    parser.add_argument("--seconds", type=float, default=5, help="about how long to step in each process (3 to 40 steps)")
    a = parser.parse_args()
    a.precisions = a.precisions or ["fp32"] + ["bf16"] * has_bf16_units()
    log = Log(a.out)
    if not log.has({"kind": "machine"}):
        peak = json.loads(run(jigsaw_command("d256-t512", 1, "fp32", "training", 1, a.output))[0])["peakFLOPsPerSecond"]
        log.add(dict(kind="machine", processor=cpu_field("model name"), cores=len(os.sched_getaffinity(0))),
                {"seconds": 0, "peakFLOPsPerSecondOfOneCore": peak, "started": time.strftime("%Y-%m-%dT%H:%M:%S")})
    for size in a.only:
        if size == "startup":
            startup(log, a)
            continue
        for threads in a.threads:
            for kind in a.kinds:
                steps(log, a, size, threads, kind)
    print(f"{len(log.records)} measurements in {a.out}; Benchmarks/peers/page.py {a.out} makes the page of them")


main()
