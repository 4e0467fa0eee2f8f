"""The oneDNN shim compiles against version 3, whose headers come from PyPI (Debian 12 has version 2)."""
import subprocess
import sys
import zipfile

from conftest import ROOT

VERSION = "2025.3.0"  # oneDNN 3.9


def test_shim_compiles_against_version_3(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "-d", tmp_path,
         f"onednn-devel=={VERSION}"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (include,) = tmp_path.glob("*.data/data/include")
    version = (include / "oneapi/dnnl/dnnl_version.h").read_text()
    assert "DNNL_VERSION_MAJOR 3" in version
    shim = ROOT / "Sources/System/COneDNN"
    subprocess.run(
        ["clang", "-fsyntax-only", "-Wall", "-Werror", "-I", include, "-I", shim / "include", shim / "onednn.c"], check=True)
