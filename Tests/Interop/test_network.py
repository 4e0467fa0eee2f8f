"""Servers that send elsewhere, and addresses with passwords: nothing is asked for where it should not be, and nothing secret is said."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from test_zarr_matrix import CHECKS

NUMBERS = np.arange(24, dtype="<f4")
ARRAY = {"zarr_format": 2, "shape": [24], "chunks": [24], "dtype": "<f4", "fill_value": 0, "order": "C", "filters": None,
         "compressor": None}
OBJECTS = {
    "/s/.zmetadata": json.dumps(
        {"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, "a/.zarray": ARRAY}}).encode(),
    "/s/a/0": NUMBERS.tobytes(), "/moved/0": NUMBERS.tobytes()}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        authorization = self.headers.get("Authorization")
        server.asked.append((self.path, authorization))
        if server.login and authorization != "Basic " + base64.b64encode(server.login.encode()).decode():
            self.send_response(401)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        value = OBJECTS.get(self.path)
        self.send_response(404 if value is None else 200)
        self.send_header("Content-Length", str(len(value or b"")))
        self.end_headers()
        self.wfile.write(value or b"")


@pytest.fixture
def serve():
    """Starts servers: host, certificate or None, the login that they ask for or None."""
    servers = []

    def start(host="127.0.0.1", certificate=None, login=None):
        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.asked, server.moved, server.login = [], {}, login
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.at = f"{host}:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def read(tmp_path):
    """Reads a store and compares its numbers: whether they are the same, and all that was said."""
    (tmp_path / "a.bin").write_bytes(NUMBERS.tobytes())

    def run(address, **variables):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "no_proxy": "*", **variables}
        result = subprocess.run(
            [CHECKS, "--at", address, tmp_path / "a.bin"], capture_output=True, text=True, env=environment, timeout=60)
        return SimpleNamespace(isRight=result.returncode == 0, said=result.stdout + result.stderr)

    return run


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


def test_redirections_on_the_same_host_are_followed(serve, read):
    server = serve()
    for target in ["/moved/0", f"http://{server.at}/moved/0"]:
        server.moved = {"/s/a/0": target}
        assert read(f"http://{server.at}/s").isRight
    server.moved = {"/s/a/0": "/s/a/0"}
    assert "more than 5 redirections" in read(f"http://{server.at}/s").said


def test_https_is_not_left_for_http(serve, read, certificate):
    secure, plain = serve(certificate=certificate), serve()
    trusted = {"SSL_CERT_FILE": str(certificate[0])}
    assert read(f"https://{secure.at}/s", **trusted).isRight
    assert not read(f"https://{secure.at}/s").isRight  # an unknown certificate
    secure.moved = {"/s/a/0": f"http://{plain.at}/moved/0"}
    for allowed in ["", "127.0.0.1"]:
        answer = read(f"https://{secure.at}/s", JIGSAW_REDIRECT_HOSTS=allowed, **trusted)
        assert not answer.isRight and f"a redirection to http://{plain.at}/moved/0" in answer.said
    assert plain.asked == []


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "[::1]", "169.254.169.254", "[fe80::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_other_hosts_never_lead_to_this_machine(serve, read, host):
    """Not followed at all unless the host is listed, and then not to addresses of this machine or its link."""
    server, other = serve(), serve("127.0.0.2")
    server.moved = {"/s/a/0": f"http://{host}:{other.server_port}/moved/0"}
    refused = read(f"http://{server.at}/s")
    assert not refused.isRight and f"a redirection to http://{host}" in refused.said
    listed = read(f"http://{server.at}/s", JIGSAW_REDIRECT_HOSTS=f"example.org,{host}")
    assert not listed.isRight and "a redirection to an address of this machine or its link" in listed.said
    assert other.asked == []


def test_another_port_is_another_host(serve, read):
    server, other = serve(), serve()
    server.moved = {"/s/a/0": f"http://{other.at}/moved/0"}
    assert f"a redirection to http://{other.at}" in read(f"http://{server.at}/s").said
    assert other.asked == []


def test_passwords_are_used_and_not_said(serve, read, tmp_path):
    server = serve(login="alice:s3cr3t")
    assert read(f"http://alice:s3cr3t@{server.at}/s").isRight
    for wrong in ["alice:wr0ng", "t0ken"]:
        answer = read(f"http://{wrong}@{server.at}/s")
        assert not answer.isRight and "***@" in answer.said and wrong not in answer.said and "wr0ng" not in answer.said
    server.moved = {"/s/a/0": f"http://bob:hidd3n@127.0.0.2:{server.server_port}/moved/0"}
    answer = read(f"http://alice:s3cr3t@{server.at}/s")
    assert not answer.isRight and "s3cr3t" not in answer.said and "hidd3n" not in answer.said
    # As a run's folder names it; the password comes from ~/.netrc.
    server.moved = {}
    assert not read(f"http://***@{server.at}/s").isRight
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alice password s3cr3t\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert read(f"http://***@{server.at}/s").isRight
    assert server.asked[-1][1] is not None


def test_what_is_cached_is_private(serve, read, tmp_path):
    server = serve(login="alice:s3cr3t")
    cache = tmp_path / "new/cache"
    assert read(f"http://alice:s3cr3t@{server.at}/s", JIGSAW_CACHE=str(cache)).isRight
    entries = [cache, *cache.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in entries if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in entries if path.is_file()} == {0o600}
    assert not any(b"s3cr3t" in path.read_bytes() for path in entries if path.is_file())
