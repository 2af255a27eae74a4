"""A server that does what servers do: cuts, lies, stalls, refuses."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import PATIENCE_S

CONTENT = bytes(range(256)) * 1000


class Server(ThreadingHTTPServer):
    """Serves ``content``; the attributes say how it misbehaves."""

    daemon_threads = True
    content = CONTENT
    etag: str | None = '"one"'
    cut_at: int | None = None
    """Send so many bytes of the body, then hang up."""
    declares: int | str | None = None
    knows_ranges = True
    knows_if_range = True
    status = 200
    location = ""
    moved = False
    """Redirect to another address of its own, as the hub does."""
    kind = "application/octet-stream"
    linked = ""
    """The SHA-256 that the hub tells."""
    sends: int | None = None
    """Of a range, send so many bytes, in order."""
    goes_on_from = 0
    """So many bytes away from where it was asked to."""
    whole: int | None = None
    """What it tells of the file's length with a range."""
    encoding = ""
    disposition: bytes | None = None
    reason: str | None = None
    stalls = False

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = f"[{host}]" if ":" in host else host
        super().__init__((host, 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.server_port}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        start = 0
        same = self.headers.get("If-Range") == server.etag or not server.knows_if_range
        if wanted and server.knows_ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start + server.goes_on_from if start else 0 :]
        if start:
            body = body[: server.sends]
        moved = server.moved and self.path != "/moved"
        self.send_response(302 if moved else 206 if start else server.status, server.reason)
        if moved:
            self.send_header("Location", "/moved")
        if server.linked and moved == server.moved:
            self.send_header("X-Linked-Etag", f'"{server.linked}"')
        if start:
            first = start + server.goes_on_from
            whole = server.whole or len(server.content)
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{whole}")
        self.send_header("Content-Type", server.kind)
        if server.location:
            self.send_header("Location", server.location)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.disposition is not None:
            self.send_header("Content-Disposition", server.disposition.decode("latin-1"))
        if server.encoding:
            self.send_header("Content-Encoding", server.encoding)
        if server.declares != -1:
            self.send_header("Content-Length", str(len(body) if server.declares is None else server.declares))
        self.end_headers()
        self.wfile.write(body[: server.cut_at])
        if server.stalls:
            self.wfile.flush()
            server.go_on.wait(PATIENCE_S)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextlib.contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Server]:
    """One that answers."""
    server = Server(host)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
