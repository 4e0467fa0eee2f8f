"""Tables of docs/results/graph-plan: updates of graph models of AIFS single's sizes on octahedral grids, by `jigsaw plan`.

Usage: graph_tables.py JIGSAW MACHINE GRID:HIDDEN[:GPUS[,GPUS …]] … > tables.md
For each number of GPUs (1 to 4096 in steps of 4) the fastest layout, one sample per model instance; lines of JSON go to standard error.
"""

import json
import subprocess
import sys

RANKS = [1, 4, 16, 64, 256, 1024, 4096]


def plan(jigsaw, machine, grid, hidden, ranks, precision):
    command = [
        jigsaw, "plan", "configs/aifs-n320.yaml", "--machine", machine, "--grid", grid, "--variables", "88",
        "--ranks", str(ranks), "--no-reading", "--precision", precision, "--json", "-",
        "--set", "model.bounds=[]", "--set", f"model.graph.octahedral={hidden}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


def row(answer, ranks):
    if "error" in answer:
        return f"| {ranks} | {answer['error'].split(';')[0]} | | | | | |"
    best = answer["best"]
    sent = max(best["bytesSent"].values()) * 1e-9
    return (
        f"| {ranks} | {best['mesh']} | {best['secondsPerUpdate']:.2f} | {best['samplesPerSecond']:.2f} "
        f"| {100 * best['waitSeconds'] / best['secondsPerUpdate']:.0f} | {best['memory']['total'] * 1e-9:.1f} | {sent:.1f} |"
    )


def main():
    jigsaw, machine = sys.argv[1:3]
    for case in sys.argv[3:]:
        grid, hidden, *rest = case.split(":")
        print(f"\n## {grid.upper()}, hidden nodes of O{hidden}, {machine}, bf16 products\n")
        print("| GPUs | replica × domain × tensor | s per update | samples/s | waiting, % | GB per GPU | GB sent per axis and update |")
        print("|---:|---|---:|---:|---:|---:|---:|", flush=True)
        for ranks in map(int, rest[0].split(",")) if rest else RANKS:
            answer = plan(jigsaw, machine, grid, hidden, ranks, "bf16")
            print(json.dumps({"grid": grid, "hidden": hidden, "ranks": ranks, "answer": answer}), file=sys.stderr)
            print(row(answer, ranks), flush=True)


if __name__ == "__main__":
    main()
