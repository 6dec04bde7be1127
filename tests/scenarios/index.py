"""A package index with a stand-in for astronomer-certified 1.10.10, whose real index is closed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, VERSION = "astronomer-certified", "1.10.10.post1"
FILE = f"astronomer_certified-{VERSION}-py3-none-any.whl"
EXTRAS = ("postgres", "celery", "redis", "password", "crypto")
# Within the day of the lock of 1.10.10 (fab pin --date).
UPLOADED = "2020-04-10T12:00:00Z"
JSON = "application/vnd.pypi.simple.v1+json"


def wheel() -> bytes:
    """Return the wheel: no code, only a dependency on the real Airflow; the same bytes each time (PEP 427)."""
    info = f"astronomer_certified-{VERSION}.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {NAME}",
        f"Version: {VERSION}",
        "Requires-Dist: apache-airflow (==1.10.10)",
        *(f"Provides-Extra: {extra}" for extra in EXTRAS),
        *(f'Requires-Dist: apache-airflow[{extra}] (==1.10.10) ; extra == "{extra}"' for extra in EXTRAS),
    ]
    files = {
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 4, 10, 12, 0, 0)), text)
    return buffer.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class _Index(BaseHTTPRequestHandler):
    """The simple pages of the one project, as HTML (PEP 503) and as JSON (PEP 691, 700), and its one file."""

    def do_GET(self) -> None:
        content = wheel()
        digest = hashlib.sha256(content).hexdigest()
        if self.path == f"/simple/{NAME}/":
            if JSON in self.headers.get("Accept", ""):
                file = {
                    "filename": FILE,
                    "url": f"/files/{FILE}",
                    "hashes": {"sha256": digest},
                    "size": len(content),
                    "upload-time": UPLOADED,
                }
                page = {"meta": {"api-version": "1.1"}, "name": NAME, "versions": [VERSION], "files": [file]}
                return self._answer(json.dumps(page).encode(), JSON)
            link = f'<!DOCTYPE html><a href="/files/{FILE}#sha256={digest}">{FILE}</a>'
            return self._answer(link.encode(), "text/html")
        if self.path == f"/files/{FILE}":
            return self._answer(content, "application/octet-stream")
        return self.send_error(404)

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET  # uv first asks whether it can get part of a file

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(address: str) -> Iterator[str]:
    """Serve the index at an address of this machine, and return its URL."""
    server = ThreadingHTTPServer((address, 0), _Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()
