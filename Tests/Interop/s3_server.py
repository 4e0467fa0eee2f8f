"""A small S3 on this machine: objects in memory, whose requests' signatures are recomputed by Amazon's own botocore, that lists in
pages, knows ranges, and fails on demand."""
import http.server
import threading
import time
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PAGE = 7  # names in an answer


class S3Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, objects, credentials=None, region="us-east-1", lists=True):
        """objects: values by bucket/key. credentials: key, secret, token; None: everyone may read."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects, self.region, self.lists = objects, region, lists
        self.credentials = credentials and Credentials(*credentials)
        self.requests, self.problems, self.faults = [], [], {}
        self.endless, self.extra = False, []  # a list that always goes on; prefixes that are in no list of objects
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def fail(self, fault, every):
        """One of so many requests fails: "slow down", "drop", "truncate", "stall"."""
        self.faults = {"kind": fault, "every": every}

    def handle_error(self, *_):
        pass  # clients that give up are meant to


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        fault = None
        if server.faults and len(server.requests) % server.faults["every"] == 0:
            fault = server.faults["kind"]
        if fault == "slow down":
            return self.answer(503, b"<Error><Code>SlowDown</Code></Error>")
        if server.credentials and (problem := self.signature_problem()):
            server.problems.append(f"{self.path}: {problem}")
            return self.answer(403, f"<Error><Code>SignatureDoesNotMatch</Code>{problem}</Error>".encode())
        address = urllib.parse.urlsplit(self.path)
        name = urllib.parse.unquote(address.path).lstrip("/")
        if address.query:
            return self.listing(name, urllib.parse.parse_qs(address.query, keep_blank_values=True))
        if name not in server.objects:
            return self.answer(404 if server.lists else 403, b"<Error><Code>NoSuchKey</Code></Error>")
        value = server.objects[name]
        given = self.headers.get("Range")
        headers, status = {}, 200
        if given:
            first, last = given.removeprefix("bytes=").split("-")
            first, last = (len(value) - int(last), len(value) - 1) if not first else (int(first), int(last))
            first, last = max(0, first), min(last, len(value) - 1)
            if first > last:
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(value)}"})
            headers, status = {"Content-Range": f"bytes {first}-{last}/{len(value)}"}, 206
            value = value[first:last + 1]
        self.answer(status, value, headers, fault)

    def answer(self, status, body, headers={}, fault=None):
        if fault == "drop":
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "x-amz-bucket-region": self.server.region}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if fault else body)
        self.wfile.flush()
        if fault == "stall":
            time.sleep(1)
        self.close_connection = self.close_connection or bool(fault)

    def signature_problem(self):
        """What is wrong with the signature; None if nothing."""
        server, given = self.server, self.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return "no signature"
        parts = dict(part.strip().split("=", 1) for part in given.split(" ", 1)[1].split(","))
        key, _, region, service, _ = parts["Credential"].split("/")
        if (key, region, service) != (server.credentials.access_key, server.region, "s3"):
            return f"credential {parts['Credential']}"
        signed = parts["SignedHeaders"].split(";")
        needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} if server.credentials.token else set())
        if not needed <= set(signed):
            return f"signed headers {signed}"
        if server.credentials.token and self.headers.get("x-amz-security-token") != server.credentials.token:
            return "token"
        request = AWSRequest(
            "GET", f"http://{self.headers['Host']}{self.path}", headers={name: self.headers[name] for name in signed})
        request.context["timestamp"] = self.headers["x-amz-date"]
        if abs(time.time() - time.mktime(time.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) + time.timezone) > 900:
            return "date"
        auth = S3SigV4Auth(server.credentials, "s3", region)
        request.context["client_config"] = None
        if "x-amz-content-sha256" not in request.headers:
            request.headers["X-Amz-Content-SHA256"] = auth.payload(request)
            auth.headers_to_sign = lambda request: headers_of(request, signed)
        expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return None if expected == parts["Signature"] else "another signature\n" + auth.canonical_request(request)

    def listing(self, bucket, query):
        if not self.server.lists:
            return self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        prefix, after = query["prefix"][0], query.get("continuation-token", [""])[0]
        assert query["list-type"] == ["2"] and query["delimiter"] == ["/"] and query["encoding-type"] == ["url"]
        names = set()
        for name in self.server.objects:
            key = name.removeprefix(f"{bucket}/")
            if name.startswith(f"{bucket}/{prefix}"):
                head, slash, _ = key[len(prefix):].partition("/")
                names.add(prefix + head + slash)
        # Tokens of real servers have such characters.
        rest = [name for name in sorted(names) if f"{name}+/=" > after]
        body = "<?xml version='1.0'?><ListBucketResult><Name>bucket</Name>"
        for name in rest[:PAGE] + [prefix + name for name in self.server.extra]:
            quoted = urllib.parse.quote_plus(name, safe="/")
            body += (f"<CommonPrefixes><Prefix>{quoted}</Prefix></CommonPrefixes>" if name.endswith("/")
                     else f"<Contents><Key>{quoted}</Key><Size>1</Size></Contents>")
        body += f"<Prefix>{prefix}</Prefix><IsTruncated>{str(self.server.endless or len(rest) > PAGE).lower()}</IsTruncated>"
        if self.server.endless:
            body += f"<NextContinuationToken>{len(self.server.requests)}</NextContinuationToken>"
        elif len(rest) > PAGE:
            body += f"<NextContinuationToken>{rest[PAGE - 1]}+/=</NextContinuationToken>"
        self.answer(200, (body + "</ListBucketResult>").encode())


def headers_of(request, names):
    from botocore.compat import HTTPHeaders
    headers = HTTPHeaders()
    for name in names:
        headers[name] = request.headers[name]
    return headers
