"""Fetches a large file so that it is there whole and right, or goes on where it stopped."""

import hashlib
import ipaddress
import os
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rwc_pw.desktop.files import refusal
from rwc_pw.errors import RwcPwError, UnavailableError, UsageError

READ_TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 16
GO_ON = "Run the command again: it goes on where it stopped."


def download(
    url: str, path: Path, *, sha256: str | None, most_bytes: int, on_progress: Callable[[int, int | None], None]
) -> None:
    """Fetch ``url`` to ``path``; ``on_progress`` is told the bytes that are there, and all of them where that is known.

    What came before the connection was cut waits in ``path``.part. ``UsageError`` for an address that is not https,
    ``UnavailableError`` when the network or the server fails, ``RwcPwError`` for a file that is not the one.
    """
    _check_address(url)
    part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.etag")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        done_bytes = part.stat().st_size if part.exists() and tag.exists() else 0
        with _opened(url, done_bytes, tag.read_text() if done_bytes else "") as response:
            if response.status != 206:
                done_bytes = 0
            _check_kind(response, url)
            tag.write_text(response.headers.get("ETag", ""))
            with part.open("ab" if done_bytes else "wb") as file:
                _receive(response, file, done_bytes, most_bytes, on_progress)
    except OSError as error:
        raise refusal("write", part, error) from error
    if sha256 is not None and _sha256(part) != sha256.lower():
        part.unlink()
        raise RwcPwError(f"What {url} gives is not the file that it should be.", "Get it from elsewhere.")
    part.replace(path)
    tag.unlink(missing_ok=True)


class _SafeRedirects(HTTPRedirectHandler):
    """Follows none to where anybody could change the file on its way."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
        return
    raise UsageError(f"{url} is not an https address.", "Give one that begins with https://.")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _opened(url: str, done_bytes: int, etag: str) -> HTTPResponse:
    headers = {"Accept-Encoding": "identity", "User-Agent": "rwc-pw"}
    if done_bytes and etag:
        headers |= {"Range": f"bytes={done_bytes}-", "If-Range": etag}
    try:
        request = Request(url, headers=headers)  # noqa: S310 - the address has been checked
        response: HTTPResponse = build_opener(_SafeRedirects).open(request, timeout=READ_TIMEOUT_S)
    except HTTPError as error:
        error.close()
        raise UnavailableError(f"{url} answers {error.code} {error.reason}.", "Check the address.") from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(f"{url} cannot be reached: {reason}.", GO_ON) from error
    return response


def _check_kind(response: HTTPResponse, url: str) -> None:
    if response.headers.get_content_type() == "text/html":
        raise RwcPwError(f"{url} is a web page, not a file.", "Give the address of the file itself.")


def _receive(
    response: HTTPResponse,
    file: IO[bytes],
    done_bytes: int,
    most_bytes: int,
    on_progress: Callable[[int, int | None], None],
) -> None:
    declared = response.headers.get("Content-Length", "")
    whole_bytes = done_bytes + int(declared) if declared.isdecimal() else None
    while True:
        if max(done_bytes, whole_bytes or 0) > most_bytes:
            raise RwcPwError(f"The file has more than {most_bytes >> 20} MiB.", "Check the address.")
        on_progress(done_bytes, whole_bytes)
        try:
            block = response.read(BLOCK_BYTES)
        except (HTTPException, TimeoutError, ConnectionError) as error:
            raise UnavailableError(f"The connection was cut: {error}.", GO_ON) from error
        if not block:
            break
        file.write(block)
        done_bytes += len(block)
    if whole_bytes is not None and done_bytes != whole_bytes:
        raise UnavailableError("The connection was cut.", GO_ON)
    file.flush()
    os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
