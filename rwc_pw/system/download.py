"""Downloads a large file, verified, resuming where a previous attempt stopped."""

import contextlib
import fcntl
import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.utils import collapse_rfc2231_value
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener, getproxies

from rwc_pw.errors import RwcPwError, UnavailableError, UsageError
from rwc_pw.system.pace import Pace, handlers
from rwc_pw.system.writing import refusal

READ_TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 16
LONGEST_SAID = 200
GO_ON = "Run the command again: it goes on where it stopped."
BEGIN_ANEW = "Run the command again: it begins anew."
STRONG_ETAG = re.compile(r'"[!#-~]*"')  # only these are allowed in If-Range (RFC 9110, 13.1.5)


def download(
    url: str, path: Path, *, sha256: str | None, most_bytes: int, on_progress: Callable[[int, int | None], None]
) -> str | None:
    """Fetch ``url`` to ``path``; return the file's name if the server tells it.

    ``on_progress`` receives the bytes done and the total, if known.
    What came before a connection broke is kept in ``path``.part; a download from another address resumes it if the
    server's ETag is the same, so ``path`` must stand for one file. The hub sends a large file's SHA-256 in the header
    X-Linked-Etag: that is checked, too. ``UsageError`` for an address that is not https, ``UnavailableError`` if the
    network or the server fails, ``RwcPwError`` for a wrong file, or one that another process is fetching.
    """
    _check_address(url)
    part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.etag")
    pinned = {sha256.lower()} if sha256 else set()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(part) as file:
            try:
                told, name = _fetch(url, file, tag, pinned, most_bytes, on_progress)
                if any(file_sha256(part) != wanted for wanted in pinned | told):
                    raise _other_file(url)
                part.replace(path)
                return name
            except _RefusedError:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise refusal("write", part, error) from error
    finally:
        with contextlib.suppress(OSError):  # there may be no folder
            if not part.exists():
                tag.unlink()


@contextlib.contextmanager
def locked(part: Path) -> Iterator[IO[bytes]]:
    """Open ``part`` for a single writer, with its content; create it if needed, and remove it if left empty.

    ``RwcPwError`` if another process has it, ``OSError`` if it cannot be opened.
    """
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(part) from None
        if not (part.exists() and os.path.samestat(part.stat(), os.fstat(file.fileno()))):
            raise _taken(part)  # the previous holder has just moved it away
        try:
            yield file
        finally:
            file.flush()  # Python 3.14 buffers 128 KiB: without this, a part would count as empty
            if os.fstat(file.fileno()).st_size == 0:
                part.unlink(missing_ok=True)


def _taken(part: Path) -> RwcPwError:
    return RwcPwError(
        f"Another rwc-pw is fetching {part.stem}.", "Wait until it has ended, then run the command again."
    )


def _fetch(
    url: str,
    file: IO[bytes],
    tag: Path,
    pinned: set[str],
    most_bytes: int,
    on_progress: Callable[[int, int | None], None],
) -> tuple[set[str], str | None]:
    """Complete ``file``; return the SHA-256 that the hub sends for it, if any, and the name that the server tells."""
    # the last byte is requested again: for a complete part, the range would otherwise be empty, and refused
    there_bytes = os.fstat(file.fileno()).st_size
    etag = tag.read_text(encoding="utf-8", errors="replace") if tag.exists() else ""
    done_bytes = max(there_bytes - 1, 0) if STRONG_ETAG.fullmatch(etag) else 0
    redirects, pace = _SafeRedirects(), Pace()
    with _opened(url, redirects, pace, done_bytes, etag) as response:
        pace.begin_file(most_bytes)
        _check_kind(response, url)
        told = redirects.linked_sha256 | _linked_sha256(response.headers)
        if len(pinned | told) > 1:
            raise _other_file(url)
        done_bytes, whole_bytes = _extent_bytes(response, url, done_bytes, etag)
        file.seek(done_bytes)
        if there_bytes > done_bytes:
            file.truncate()
        # only after truncating what came under another tag
        tag.write_text(response.headers.get("ETag", ""), encoding="utf-8")
        _receive(response, file, done_bytes, whole_bytes, most_bytes, on_progress)
    return told, _told_name(response.headers)


def _told_name(headers: Message) -> str | None:
    """The last part of the name in Content-Disposition, of which ``filename*`` tells other scripts (RFC 6266)."""
    values = [value for key, value in headers.get_params([], "content-disposition") if key.lower() == "filename"]
    values.sort(key=lambda value: isinstance(value, str))
    if not values:
        return None
    name = collapse_rfc2231_value(values[0])
    with contextlib.suppress(UnicodeError):
        name = name.encode("latin-1").decode("utf-8")  # http.client reads headers as Latin-1
    if isinstance(values[0], str):  # else it has been unquoted
        name = unquote(name)  # as browsers do
    return name.replace("\\", "/").rpartition("/")[2]


def _extent_bytes(response: HTTPResponse, url: str, asked_bytes: int, etag: str) -> tuple[int, int | None]:
    """Position in the file at which the response begins, and the file's length, if stated."""
    declared = response.headers.get("Content-Length", "")
    if response.status != 206:
        return 0, int(declared) if re.fullmatch(r"[0-9]{1,18}", declared) else None
    extent = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    if extent is None or int(extent[1]) != asked_bytes:
        raise _RefusedError(f"{url} resumes at another place than was asked for.", BEGIN_ANEW)
    if asked_bytes and response.headers.get("ETag", etag) != etag:  # from a server that does not support If-Range
        raise _RefusedError(f"{url} has another file now.", BEGIN_ANEW)
    return asked_bytes, int(extent[2])


class _RefusedError(RwcPwError):
    """The download cannot be resumed: what has come is useless."""


def _other_file(url: str) -> _RefusedError:
    return _RefusedError(f"What {url} gives is not the file that it should be.", "Get it from elsewhere.")


class _SafeRedirects(HTTPRedirectHandler):
    """Follows no redirect to an insecure address; keeps the hash that the hub sends before it redirects."""

    def __init__(self) -> None:
        self.linked_sha256: set[str] = set()

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_address(newurl)
        if req.type == "https" and urlsplit(newurl).scheme != "https":  # http is only for this machine
            raise UsageError(f"{req.full_url} redirects to {newurl}.", "Get the file from elsewhere.")
        self.linked_sha256 |= _linked_sha256(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _linked_sha256(headers: Message) -> set[str]:
    """The SHA-256 that the hub sends for a large file; it sends none for small ones."""
    return set(re.findall(r"\A\"?([0-9a-f]{64})\"?\Z", headers.get("X-Linked-Etag", "")))


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # raises for a port that is not a number
        (host or "").encode("idna")  # raises for an impossible name
        is_clean = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
        if host and is_clean and (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))):
            return
    except ValueError:
        pass
    raise UsageError(
        f"{url} is not an https address.", "Give one of https:// and the server's name, as a browser copies it."
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _opened(url: str, redirects: _SafeRedirects, pace: Pace, done_bytes: int, etag: str) -> HTTPResponse:
    headers = {"Accept-Encoding": "identity", "User-Agent": "rwc-pw"}
    if done_bytes:
        headers |= {"Range": f"bytes={done_bytes}-", "If-Range": etag}
    # plain HTTP is only for this machine, so it uses no proxy
    proxies = ProxyHandler({scheme: proxy for scheme, proxy in getproxies().items() if scheme != "http"})
    try:
        request = Request(url, headers=headers)  # noqa: S310 - the address has been checked
        response: HTTPResponse = build_opener(redirects, proxies, *handlers(pace)).open(request, timeout=READ_TIMEOUT_S)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # the part is longer than the file
            raise _RefusedError(f"{url} cannot be resumed.", BEGIN_ANEW) from error
        remedy = "Run the command again later." if error.code in (429, *range(500, 600)) else "Check the address."
        raise UnavailableError(f"{url} answers {error.code} {_line(error.reason)}.", remedy) from error
    except (HTTPException, OSError) as error:
        reason = _line(getattr(error, "reason", error))
        raise UnavailableError(f"{url} cannot be reached: {reason}.", f"Is there a network? {GO_ON}") from error
    return response


def _line(said: object) -> str:
    """A server's message, safe for a terminal: short, without control characters."""
    line = str(said).partition("\n")[0][:LONGEST_SAID]
    return "".join(character for character in line if character.isprintable()).rstrip(". ")


def _check_kind(response: HTTPResponse, url: str) -> None:
    if response.status not in (200, 206):
        raise UnavailableError(f"{url} answers {response.status} {_line(response.reason)}.", "Check the address.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RwcPwError(f"{url} is sent compressed, although it must not be.", "Get the file from elsewhere.")
    if response.headers.get_content_type() == "text/html":
        raise RwcPwError(f"{url} is a web page, not a file.", "Give the address of the file itself.")


def _receive(
    response: HTTPResponse,
    file: IO[bytes],
    done_bytes: int,
    whole_bytes: int | None,
    most_bytes: int,
    on_progress: Callable[[int, int | None], None],
) -> None:
    while True:
        if max(done_bytes, whole_bytes or 0) > most_bytes:
            raise _RefusedError(f"The file has more than {most_bytes >> 20} MiB.", "Check the address.")
        on_progress(done_bytes, whole_bytes)
        try:
            block = response.read(BLOCK_BYTES)
        except (HTTPException, OSError) as error:  # also TLS and routing errors
            raise UnavailableError(f"The connection was cut: {_line(error)}.", GO_ON) from error
        if not block:
            break
        file.write(block)
        done_bytes += len(block)
    if whole_bytes is not None and done_bytes > whole_bytes:
        raise _RefusedError("The server sent more than the file's length.", BEGIN_ANEW)
    if whole_bytes is not None and done_bytes < whole_bytes:
        raise UnavailableError("The connection was cut.", GO_ON)
    file.flush()
    os.fsync(file.fileno())


def file_sha256(path: Path) -> str:
    """The SHA-256 in lower-case hexadecimal; ``OSError`` if the file cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
