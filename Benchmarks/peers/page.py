"""Tables and pictures of docs/benchmarks.md from a log of grid.sh: replaces what stands between the page's markers, and writes the
pictures beside the log.

Usage: python3 page.py LOG [PAGE]; PAGE is docs/benchmarks.md by default. Needs Python alone.
"""
import json
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
TOOLS = ["jigsaw", "eager", "compiled", "jax"]
PYTORCH = ["eager", "compiled"]
COLORS = {"jigsaw": "#1f6fb2", "eager": "#d98c3f", "compiled": "#9a6fb0", "jax": "#4a9a6a"}
LABELS = {"jigsaw": "jigsaw", "eager": "PyTorch eager", "compiled": "PyTorch compiled", "jax": "JAX"}
NAMES = {"fp32": "FP32", "bf16": "bf16", "bf16x3": "bf16x3", "training": "Training", "forecast": "Forecast"}


def threads_text(threads):
    return f"{threads} thread{'s' if threads > 1 else ''}"


class Cell:
    """The repetitions of one measurement."""

    def __init__(self, records):
        self.seconds = {r["repetition"]: r["seconds"] for r in records}
        self.memory = statistics.median(r["peakResidentBytes"] for r in records)
        self.records = records

    @property
    def median(self):
        return statistics.median(self.seconds.values())

    def ratio_to(self, other):
        """Median over the pairs of this one's time relative to the other's."""
        return statistics.median(self.seconds[i] / other.seconds[i] for i in self.seconds if i in other.seconds)


class Group:
    """What is shown together: one kind of step with one count of threads and one precision."""

    def __init__(self, records, machine):
        self.cells = defaultdict(dict)  # size, tool
        collected = defaultdict(list)
        for record in records:
            collected[record["size"], record["tool"]].append(record)
        for (size, tool), found in collected.items():
            self.cells[size][tool] = Cell(found)
        self.sizes = sorted(self.cells, key=lambda size: [int(part[1:]) for part in size.split("-")])
        self.peak = machine["peakFLOPsPerSecondOfOneCore"] * records[0]["threads"]

    def flops(self, size):
        """Of one step, as jigsaw counts them, whoever computes them."""
        cell = self.cells[size].get("jigsaw")
        return cell.records[0]["flopsPerStep"] if cell else None

    def table(self):
        """A row for each size; no columns for tools that were not measured."""
        rows = []
        for size in self.sizes:
            cells = self.cells[size]
            own, jax, peers = cells.get("jigsaw"), cells.get("jax"), [cells[tool] for tool in PYTORCH if tool in cells]
            row = {"size": size} | {LABELS[tool]: f"{1e3 * cells[tool].median:.4g} ms" for tool in TOOLS if tool in cells}
            if own and peers:
                row["PyTorch / jigsaw"] = f"**{min(peers, key=lambda cell: cell.median).ratio_to(own):.2f}**"
            if own and jax:
                row["JAX / jigsaw"] = f"{jax.ratio_to(own):.2f}"
            if own:
                flops = self.flops(size) / own.median
                row |= {"jigsaw TFLOP/s": f"{flops * 1e-12:.3f}", "of FMA peak": f"{100 * flops / self.peak:.0f} %"}
                row["memory: jigsaw"] = f"{own.memory * 1e-9:.2f} GB"
            if peers:
                row["PyTorch"] = f"{min(cell.memory for cell in peers) * 1e-9:.2f} GB"
            if jax:
                row["JAX, memory"] = f"{jax.memory * 1e-9:.2f} GB"
            if own and peers:
                row["jigsaw / PyTorch"] = f"{own.memory / min(cell.memory for cell in peers):.2f}"
            rows.append(row)
        titles = ["size", *(LABELS[tool] for tool in TOOLS), "PyTorch / jigsaw", "JAX / jigsaw", "jigsaw TFLOP/s", "of FMA peak",
                  "memory: jigsaw", "PyTorch", "JAX, memory", "jigsaw / PyTorch"]
        titles = [title for title in titles if any(title in row for row in rows)]
        return "\n".join([f"| {' | '.join(titles)} |", "|---" + (len(titles) - 1) * "|---:" + "|",
                          *(f"| {' | '.join(row.get(title, '–') for title in titles)} |" for row in rows)])

    def picture(self, title):
        """GFLOP/s of every tool at every size, and the peak."""
        left, top, width, bar, gap = 110, 46, 620, 12, 14
        sizes = [size for size in self.sizes if self.flops(size)]
        height = top + sum(bar * len(self.cells[size]) + gap for size in sizes) + 34
        values = {(size, tool): self.flops(size) / cell.median * 1e-9
                  for size in sizes for tool, cell in self.cells[size].items()}
        most = max([*values.values(), self.peak * 1e-9])
        scale = (width - 60) / most
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width}" height="{height}" '
               f'viewBox="0 0 {left + width} {height}" font-family="sans-serif" font-size="11">',
               f'<rect width="100%" height="100%" fill="white"/><text x="8" y="18" font-size="14">{title}</text>']
        x = 8
        for tool in (tool for tool in TOOLS if any(tool in self.cells[size] for size in sizes)):
            out.append(f'<rect x="{x}" y="27" width="10" height="10" fill="{COLORS[tool]}"/>'
                       f'<text x="{x + 14}" y="36">{LABELS[tool]}</text>')
            x += 120
        y = top
        for size in sizes:
            tools = [tool for tool in TOOLS if tool in self.cells[size]]
            out.append(f'<text x="{left - 8}" y="{y + bar * len(tools) / 2 + 4}" text-anchor="end">{size}</text>')
            for tool in tools:
                value = values[size, tool]
                out.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{bar - 1}" fill="{COLORS[tool]}"/>'
                           f'<text x="{left + value * scale + 4:.1f}" y="{y + bar - 3}">{value:.0f}</text>')
                y += bar
            y += gap
        line = left + self.peak * 1e-9 * scale
        out.append(f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{top - 4}" y2="{y}" stroke="#888" stroke-dasharray="4 3"/>'
                   f'<text x="{line:.1f}" y="{y + 12}" text-anchor="middle" fill="#555">FP32 peak {self.peak * 1e-9:.0f}</text>'
                   f'<text x="{left}" y="{y + 12}" fill="#555">GFLOP/s</text></svg>')
        return "\n".join(out) + "\n"


def startup(records):
    lines = ["| | median | of |", "|---|---:|---:|"]
    for tool in ("jigsaw --version", "import torch", "jigsaw forecast"):
        seconds = [record["seconds"] for record in records if record["tool"] == tool]
        name = "`jigsaw forecast`, 10 days at 5.6°, the demo's model" if tool == "jigsaw forecast" else f"`{tool}`"
        if seconds:
            lines.append(f"| {name} | {statistics.median(seconds):.3f} s | {len(seconds)} |")
    return "\n".join(lines)


def main():
    log = Path(sys.argv[1])
    page = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs/benchmarks.md"
    records = [json.loads(line) for line in log.read_text().splitlines() if line.strip()]
    machine = next(record for record in records if record["kind"] == "machine")
    steps = [record for record in records if record["kind"] in ("training", "forecast")]
    versions = {record["tool"]: record["version"] for record in steps}
    peers = ", ".join(f"{name} {versions[tool]}" for name, tool in [("PyTorch", "eager"), ("JAX", "jax")] if tool in versions)
    own = next((record for record in steps if record["tool"] == "jigsaw"), None)
    repetitions = 1 + max((record["repetition"] for record in steps), default=0)
    here = page.parent.resolve()
    parts = [f"{machine['processor']}, {machine['cores']} cores, FMA peak {machine['peakFLOPsPerSecondOfOneCore'] * 1e-9:.1f} "
             f"GFLOP/s per core; started {machine['started'][:10]}. "
             + (f"jigsaw {own['version']} ({own['products']}), " if own else "")
             + f"{peers}. Medians of up to {repetitions} repetitions; "
             f"[raw log]({os.path.relpath(log.resolve(), here)})."]
    groups = defaultdict(list)
    for record in steps:
        groups[record["kind"], record["output"], record["precision"], record["threads"]].append(record)
    order = {name: index for index, name in enumerate(["training", "forecast", "residual", "blend", "fp32", "bf16", "bf16x3"])}
    for key in sorted(groups, key=lambda key: [order.get(part, part) for part in key]):
        kind, output, precision, threads = key
        group = Group(groups[key], machine)
        title = f"{NAMES[kind]} step, {NAMES[precision]}, {threads_text(threads)}" + (", blend" if output == "blend" else "")
        parts.append(f"### {title}\n\n{group.table()}")
        if any(group.flops(size) for size in group.sizes):
            picture = log.parent / f"{kind}-{output}-{precision}-{threads}.svg"
            picture.write_text(group.picture(title))
            parts.append(f"![{title}: GFLOP/s by size]({os.path.relpath(picture.resolve(), here)})")
    starts = [record for record in records if record["kind"] == "startup"]
    if starts:
        parts.append(f"### Start-up\n\n{startup(starts)}")
    text = page.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"error: {page}: has no markers '{BEGIN}' and '{END}' for the results")
    before, after = text[:text.index(BEGIN)], text[text.index(END):]
    page.write_text(f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{after}")


main()
