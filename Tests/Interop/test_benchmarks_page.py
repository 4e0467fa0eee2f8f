"""Benchmarks/peers/page.py: tables and pictures from a log whose numbers are known."""
import json
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

PAGE = Path(__file__).parents[2] / "Benchmarks/peers/page.py"


def log():
    yield dict(kind="machine", processor="Abacus", cores=2, seconds=0, peakFLOPsPerSecondOfOneCore=1e11, started="2001-01-01T00:00:00")
    for tool, seconds, memory in [("jigsaw", 0.5, 1e9), ("eager", 1.5, 2e9), ("compiled", 1.0, 4e9), ("jax", 0.75, 1e9)]:
        for repetition, load in enumerate([1, 1.1, 3]):  # load that falls on all tools of a repetition
            record = dict(kind="training", size="d256-t512", threads=1, output="residual", precision="fp32", tool=tool,
                          repetition=repetition, seconds=seconds * load, peakResidentBytes=memory, version="9", losses=[1.0])
            yield record | (dict(flopsPerStep=11 * 10**9, products="none") if tool == "jigsaw" else {})
    for repetition, seconds in enumerate([0.03, 0.01, 0.02]):
        yield dict(kind="startup", tool="jigsaw --version", repetition=repetition, seconds=seconds)


def run(folder, text):
    (folder / "grid.jsonl").write_text("".join(json.dumps(record) + "\n" for record in log()))
    (folder / "page.md").write_text(text)
    return subprocess.run([sys.executable, PAGE, folder / "grid.jsonl", folder / "page.md"], capture_output=True, text=True)


def test_tables_and_pictures(tmp_path):
    marked = "before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n"
    for text in (marked, None):  # a second time from its own output
        assert run(tmp_path, text or (tmp_path / "page.md").read_text()).returncode == 0
        page = (tmp_path / "page.md").read_text()
        assert page.startswith("before\n") and page.endswith("<!-- results: end -->\nafter\n") and "old" not in page
        # 11 GFLOP in 0.55 s are 20 % of 100 GFLOP/s; the faster of PyTorch takes twice as long, the smaller twice as much.
        assert ("| d256-t512 | 550 ms | 1650 ms | 1100 ms | 825 ms | **2.00** | 1.50 | 0.020 | 20 % | 1.00 GB | 2.00 GB | 1.00 GB | 0.50 |" in page)
        assert "| `jigsaw --version` | 0.020 s | 3 |" in page
        assert "(training-residual-fp32-1.svg)" in page and "[raw log](grid.jsonl)" in page
    picture = xml.parse(tmp_path / "training-residual-fp32-1.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    bars = [float(part.get("width")) for part in picture.iter("{http://www.w3.org/2000/svg}rect") if part.get("height") == "11"]
    assert len(bars) == 4 and abs(bars[0] - 2 * bars[2]) < 0.2 and abs(bars[0] - 3 * bars[1]) < 0.2


def test_a_page_without_markers_stays(tmp_path):
    done = run(tmp_path, "mine")
    assert done.returncode == 1 and "has no markers" in done.stderr and (tmp_path / "page.md").read_text() == "mine"
