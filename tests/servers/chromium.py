"""A web application in Debian's Chromium that records from a microphone which it finds by its label."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np

from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S

PAGE = Path(__file__).with_name("recorder.html")
STOP_DEADLINE_S = 10.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
Answer = tuple[str, dict[str, list[str]], bytes]


class PageError(Exception):
    """What the page, or Chromium, says went wrong."""


def microphones(headless: HeadlessPipeWire) -> list[str]:
    """The labels of the microphones that a web page may choose from."""
    labels: list[str] = json.loads(_visit(headless, {}, PATIENCE_S)[1])
    return labels


def record(headless: HeadlessPipeWire, label: str, seconds: float) -> tuple[np.ndarray, float]:
    """What a web page hears from the microphone with this label: mono float32, and its rate."""
    asked = {"label": label, "seconds": str(seconds)}
    query, body = _visit(headless, asked, PATIENCE_S + seconds)
    return np.frombuffer(body, dtype=np.float32), float(query["rate_hz"][0])


def _visit(headless: HeadlessPipeWire, asked: dict[str, str], timeout_s: float) -> tuple[dict[str, list[str]], bytes]:
    """Open the page and wait for its answer."""
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    with _page(answers) as url, _chromium(headless, f"{url}?{urlencode(asked)}", answers):
        try:
            path, query, body = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise PageError(f"no answer within {timeout_s:g} s") from None
    if path not in ("/labels", "/samples"):
        raise PageError(body.decode(errors="replace"))
    return query, body


@contextlib.contextmanager
def _page(answers: "queue.SimpleQueue[Answer]") -> Iterator[str]:
    """Serve the page on this machine only; what it posts comes to ``answers``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = urlsplit(self.path).path == "/"
            self._reply(200 if found else 404, PAGE.read_bytes() if found else b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            url = urlsplit(self.path)
            answers.put((url.path, parse_qs(url.query), body))
            self._reply(200, b"")

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the browser is ended in mid-answer
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _chromium(headless: HeadlessPipeWire, url: str, answers: "queue.SimpleQueue[Answer]") -> Iterator[None]:
    """Chromium with a profile of its own at ``url``; its end comes to ``answers``, too."""
    log = headless.root / "chromium.log"
    with tempfile.TemporaryDirectory(prefix="chromium-", dir=headless.root, ignore_cleanup_errors=True) as profile:
        argv = ("setpriv", "--pdeathsig", "KILL", "chromium", *FLAGS, f"--user-data-dir={profile}", url)
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                argv, env=headless.environment, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, process_group=0
            )

        def watch() -> None:
            code = process.wait()
            answers.put(("/ended", {}, f"Chromium ended with {code}: see {log}".encode()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            process.terminate()
            watcher.join(STOP_DEADLINE_S)
            with contextlib.suppress(ProcessLookupError):  # all of it ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            watcher.join()
