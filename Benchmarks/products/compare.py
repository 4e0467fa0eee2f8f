"""Variants of our products in turn, in one process: the share of the peak of the first, and what the others gain on it.

    python3 Benchmarks/products/compare.py now again=Sources/CKernels rows=Sources/CKernels,BLOCK_ROWS=96 tried=/tmp/my-kernels

NAME=FOLDER[,DEFINE=VALUE...]: the *.inc.h of a folder, with values of #defines replaced; a NAME alone is Sources/CKernels. The same twice shows
what noise is left. See docs/decisions/0011."""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
KERNELS = FOLDER.parent.parent / "Sources/CKernels"


def compiled(index, description, kernel_set, build):
    """Compiles the kernels of a variant with a table of its own; returns the variant's name and its object file."""
    name, _, rest = description.partition("=")
    folder, *defines = rest.split(",") if rest else [KERNELS]
    place = build / str(index)
    place.mkdir()
    sources = {path.name: path.read_text() for at in (KERNELS, Path(folder)) for path in at.glob("*.inc.h")}
    for define in defines:
        key, _, value = define.partition("=")
        sources, before = {file: re.sub(rf"#define {key} .*", f"#define {key} {value}", text) for file, text in sources.items()}, sources
        if sources == before:
            sys.exit(f"compare.py: {description}: there is no other #define {key} in {folder}")
    for file, text in sources.items():
        (place / file).write_text(text)
    main = (KERNELS / f"kernels_{kernel_set}.c").read_text()
    (place / "kernels.c").write_text(main.replace(f"jk_kernels_{kernel_set}", f"variant_{index}"))
    subprocess.run(["clang", "-O2", "-I", KERNELS / "include", "-c", place / "kernels.c", "-o", place / "kernels.o"], check=True)
    return name, place / "kernels.o"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("variants", nargs="+", metavar="NAME[=FOLDER[,DEFINE=VALUE...]]")
parser.add_argument("--kernels", default="avx2", choices=["baseline", "avx2", "avx512"])
parser.add_argument("--repetitions", type=int, default=16)
parser.add_argument("--cpu", default="0", help="where it runs")
options = parser.parse_args()
with tempfile.TemporaryDirectory() as temporary:
    build = Path(temporary)
    made = [compiled(i, x, options.kernels, build) for i, x in enumerate(options.variants)]
    (build / "variants.h").write_text(
        "".join(f"extern const jk_kernels variant_{i};\n" for i in range(len(made)))
        + f"#define VARIANTS {len(made)}\nstatic const jk_kernels *const variants[] = {{"
        + ", ".join(f"&variant_{i}" for i in range(len(made)))
        + "};\nstatic const char *const names[] = {"
        + ", ".join(f'"{name}"' for name, _ in made) + "};\n")
    program = build / "compare"
    subprocess.run(["clang", "-O2", "-D_GNU_SOURCE", "-I", KERNELS / "include", "-I", build, FOLDER / "compare.c",
                    *(path for _, path in made), "-lm", "-o", program], check=True)
    sys.exit(subprocess.run(["taskset", "-c", options.cpu, program, str(options.repetitions)]).returncode)
