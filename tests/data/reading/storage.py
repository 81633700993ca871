"""A storage on this machine that speaks as much of S3 as reading a file and listing a folder takes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_DATE = "2026-01-01T00:00:00.000Z"


@contextmanager
def serve_s3(bucket: str, objects: dict[str, bytes], asked: list[str]) -> Iterator[str]:
    """Serve the objects of one bucket until the block ends; gives the address.

    Args:
        bucket: its name.
        objects: bytes by key; may be changed meanwhile.
        asked: every request is noted here.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            name, _, key = unquote(parts.path).strip("/").partition("/")
            asked.append(f"{self.command} /{name}/{key}")
            if name != bucket:
                self._send(404, b"<Error><Code>NoSuchBucket</Code></Error>", {})
            elif not key:
                prefix = parse_qs(parts.query).get("prefix", [""])[0]
                self._send(200, _listing(bucket, objects, prefix), {"Content-Type": "application/xml"})
            elif key in objects:
                self._object(objects[key])
            else:
                self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", {})

        def _object(self, data: bytes) -> None:
            headers = {"ETag": f'"{_mark(data)}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            wanted = self.headers.get("Range")
            if wanted:
                start, _, end = wanted.removeprefix("bytes=").partition("-")
                last = min(int(end), len(data) - 1) if end else len(data) - 1
                headers["Content-Range"] = f"bytes {start}-{last}/{len(data)}"
                self._send(206, data[int(start) : last + 1], headers)
            else:
                self._send(200, data, headers)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET = _answer  # noqa: N815  named by http.server

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _mark(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _listing(bucket: str, objects: dict[str, bytes], prefix: str) -> bytes:
    found = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>{_DATE}</LastModified><ETag>&quot;{_mark(data)}&quot;</ETag>"
        f"<Size>{len(data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key, data in sorted(objects.items())
        if key.startswith(prefix)
    )
    head = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{head}{found}</ListBucketResult>"
    ).encode()
