"""Medians of a log of commits.sh: commits.py LOG. Of each run the median of its samples, of these the median of all rounds, and the
middle of the ratios of neighbours."""
import json
import statistics
import sys

runs = {}
for line in open(sys.argv[1]):
    words = line.split(" ", 3)
    if len(words) < 4 or words[2] not in ("before", "after"):
        continue
    result = json.loads(words[3])
    run = runs.setdefault((words[0], words[1]), {})
    run.setdefault(words[2], []).append(statistics.median(result["seconds"]))
    run.setdefault("checksum", set()).add(result["checksum"])
print("| | store | before, s | after, s | after / before | spread of the ratios |")
print("|---|---|---:|---:|---:|---|")
for (kind, store), run in runs.items():
    ratios = sorted(b / a for a, b in zip(run["before"], run["after"]))
    assert len(run["checksum"]) == 1, "different numbers"
    print(f"| {kind} | {store} | {statistics.median(run['before']):.4g} | {statistics.median(run['after']):.4g} "
          f"| {statistics.median(ratios):.3f} | {ratios[0]:.3f} to {ratios[-1]:.3f} |")
