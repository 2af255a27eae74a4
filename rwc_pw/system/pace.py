"""HTTP from servers that may never end: whatever they send, and however slowly, the connection ends."""

import io
import time
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

WINDOW_S = 30.0
LEAST_BYTES = 30 << 10  # in each window, once the file itself has begun
MOST_HEAD_BYTES = 1 << 20  # of everything before it, redirects included


class Pace:
    """Judges what a server sends: its answer has to begin within one window, and to go on fast enough."""

    def __init__(self) -> None:
        self._left_bytes = MOST_HEAD_BYTES
        self._least_bytes = MOST_HEAD_BYTES + 1
        self._begin_window()

    def begin_file(self, most_bytes: int) -> None:
        """From now on it is the file that comes, of at most ``most_bytes`` and what is around it."""
        self._left_bytes = most_bytes + MOST_HEAD_BYTES
        self._least_bytes = LEAST_BYTES
        self._begin_window()

    def count(self, received_bytes: int) -> None:
        """``OSError`` if it sends too much or too slowly."""
        self._left_bytes -= received_bytes
        self._window_bytes += received_bytes
        if self._left_bytes < 0:
            raise OSError("the server sends more than an answer has")
        if time.monotonic() >= self._window_end_s:
            if self._window_bytes < self._least_bytes:
                raise TimeoutError("the server is too slow")
            self._begin_window()

    def _begin_window(self) -> None:
        self._window_end_s = time.monotonic() + WINDOW_S
        self._window_bytes = 0


def handlers(pace: Pace) -> tuple[HTTPHandler, HTTPSHandler]:
    """Handlers of http and https addresses for urllib, judged by ``pace``."""

    def connection(kind: type[HTTPConnection], host: str, **arguments: Any) -> HTTPConnection:
        made = kind(host, **arguments)
        made.response_class = partial(_PacedResponse, pace)  # type: ignore[assignment]  # it is only called
        return made

    class Plain(HTTPHandler):
        def http_open(self, req: Request) -> HTTPResponse:
            return self.do_open(partial(connection, HTTPConnection), req)

    class Secure(HTTPSHandler):
        def https_open(self, req: Request) -> HTTPResponse:
            return self.do_open(partial(connection, HTTPSConnection), req)

    return Plain(), Secure()


class _PacedResponse(HTTPResponse):
    def __init__(self, pace: Pace, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fp = io.BufferedReader(_Paced(self.fp.detach(), pace))


class _Paced(io.RawIOBase):
    """A socket whose received bytes are counted."""

    def __init__(self, socket: io.RawIOBase, pace: Pace) -> None:
        self._socket = socket
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        received_bytes: int | None = self._socket.readinto(buffer)
        self._pace.count(received_bytes or 0)
        return received_bytes

    def close(self) -> None:
        self._socket.close()
        super().close()
