"""Stores in an S3 that checks signatures, and fails."""
import os
import subprocess

import numpy as np
import pytest
import zarr

from s3_server import S3Server
from test_zarr_matrix import CHECKS

KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token/with+signs==")
PLACE = "bucket/some folder/a+b=ü"


@pytest.fixture(scope="module", params=[(2, True), (2, False), (3, True), (3, False)], ids=str)
def store(request, tmp_path_factory):
    """The objects of a store, and a file with its numbers."""
    version, consolidated = request.param
    folder = tmp_path_factory.mktemp("s3")
    x = np.random.default_rng(1).standard_normal((12, 20)).astype("f4")
    group = zarr.create_group(folder / "a.zarr", zarr_format=version)
    shards = {"shards": (6, 10)} if version == 3 else {}
    group.create_array("a", data=x, chunks=(3, 5), **shards)
    for i in range(9):  # several pages of names
        group.create_array(f"b {i}&+", data=x[:1], chunks=(1, 20))
    if consolidated:
        zarr.consolidate_metadata(folder / "a.zarr", zarr_format=version)
    (folder / "a.bin").write_bytes(x.tobytes())
    objects = {
        f"{PLACE}/{path.relative_to(folder / 'a.zarr')}": path.read_bytes()
        for path in (folder / "a.zarr").rglob("*") if path.is_file()}
    return objects, folder / "a.bin", consolidated


def read(numbers, server, check=True, address=f"s3://{PLACE}", **variables):
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ENDPOINT_URL": server.endpoint, **variables}
    result = subprocess.run([CHECKS, "--at", address, numbers], capture_output=True, text=True, env=environment)
    if check:
        assert result.returncode == 0, (result.stdout, result.stderr, server.problems, server.requests[-3:])
    return result.stdout


def given(keys):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return dict(zip(names, keys))


@pytest.mark.parametrize("keys", [None, KEYS[:2], KEYS], ids=["anonymous", "keys", "temporary keys"])
def test_stores_are_read(store, keys):
    objects, numbers, _ = store
    with S3Server(objects, keys, region="eu-west-3") as server:
        read(numbers, server, AWS_REGION="eu-west-3", **given(keys or ()))
        assert not server.problems and server.requests


def test_profiles(store, tmp_path):
    objects, numbers, _ = store
    with S3Server(objects, KEYS, region="eu-central-1") as server:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws/credentials").write_text(
            f"[default]\naws_access_key_id = other\naws_secret_access_key = none\n\n# ours\n[weather]\n"
            f"aws_access_key_id = {KEYS[0]}\naws_secret_access_key={KEYS[1]}\naws_session_token = {KEYS[2]}\n")
        (tmp_path / ".aws/config").write_text(
            f"[profile weather]\nregion = eu-central-1\ns3 =\n  region = no\nendpoint_url = {server.endpoint}/\n")
        read(numbers, server, HOME=str(tmp_path), AWS_PROFILE="weather", AWS_ENDPOINT_URL="")
        assert not server.problems
        assert "names a profile that is not there" in read(
            numbers, server, check=False, HOME=str(tmp_path), AWS_PROFILE="other")


def test_refusals_are_explained(store):
    objects, numbers, consolidated = store
    with S3Server(objects, KEYS[:2], region="eu-west-3") as server:
        assert "AWS_PROFILE" in read(numbers, server, check=False)
        assert "set AWS_REGION=eu-west-3" in read(numbers, server, check=False, **given(KEYS[:2]))
        wrong = (KEYS[0], "wrong")
        assert "status 403" in read(numbers, server, check=False, AWS_REGION="eu-west-3", **given(wrong))
    with S3Server(objects, lists=False) as server:
        # 403 stands for what is not there: documents of another format may be, chunks are not made up.
        if consolidated:
            read(numbers, server)
        missing = dict(objects)
        del missing[next(key for key in objects if "/a/" in key and not key.endswith((".json", ".zarray", ".zattrs")))]
        server.objects = missing
        assert "status 403" in read(numbers, server, check=False)


def test_lists_that_do_not_end_are_left(store):
    objects, numbers, consolidated = store
    if consolidated:
        pytest.skip("nothing is listed")
    with S3Server(objects) as server:
        server.endless = True
        assert "list of them without end" in read(numbers, server, check=False)
        assert len(server.requests) < 100


def test_names_of_lists_stay_in_the_store(store):
    objects, numbers, consolidated = store
    if consolidated:
        pytest.skip("nothing is listed")
    with S3Server(objects) as server:
        server.extra = ["../"]
        assert "leads out of its folder" in read(numbers, server, check=False)
        assert not any(".." in request.split("?")[0] for request in server.requests)


@pytest.mark.parametrize("fault", ["slow down", "drop", "truncate", "stall"])
def test_faults_that_pass_are_overcome(store, fault):
    objects, numbers, _ = store
    with S3Server(objects, KEYS) as server:
        server.fail(fault, every=23 if fault == "stall" else 9)
        read(numbers, server, **given(KEYS))
        assert not server.problems


def test_a_cache_asks_once(store, tmp_path):
    objects, numbers, consolidated = store
    with S3Server(objects, KEYS) as server:
        variables = {"JIGSAW_CACHE": str(tmp_path / "cache"), **given(KEYS)}
        read(numbers, server, **variables)
        asked = len(server.requests)
        read(numbers, server, **variables)
        again = server.requests[asked:]
        assert again and not [path for path in again if "/a/c/" in path or path[-1].isdigit()]
        # What was cut short on disk is asked for again.
        for path in (tmp_path / "cache").rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:-1])
        read(numbers, server, **variables)
        assert len(server.requests) > asked + 2 * len(again)
