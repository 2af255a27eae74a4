"""Fetching from a server that does what servers do: cuts, lies, stalls, refuses."""

import errno
import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rwc_pw.errors import RwcPwError, UnavailableError, UsageError
from rwc_pw.rvc import assets, download
from rwc_pw.rvc.assets import ASSETS

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 1 << 20


class Server(ThreadingHTTPServer):
    """Serves ``content``; the attributes say how it misbehaves."""

    daemon_threads = True
    content = CONTENT
    etag: str | None = '"one"'
    cut_at: int | None = None
    """Send so many bytes of the body, then hang up."""
    declares: int | None = None
    knows_ranges = True
    status = 200
    location = ""
    moved = False
    """Redirect to another address of its own, as the hub does."""
    kind = "application/octet-stream"
    linked = ""
    """The SHA-256 that the hub tells."""
    goes_on_from = 0
    """So many bytes away from where it was asked to."""
    stalls = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        start = 0
        if wanted and server.knows_ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start + server.goes_on_from if start else 0 :]
        moved = server.moved and self.path != "/moved"
        self.send_response(302 if moved else 206 if start else server.status)
        if moved:
            self.send_header("Location", "/moved")
        if server.linked and moved == server.moved:
            self.send_header("X-Linked-Etag", f'"{server.linked}"')
        if start:
            first, last = len(server.content) - len(body), len(server.content) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(server.content)}")
        self.send_header("Content-Type", server.kind)
        if server.location:
            self.send_header("Location", server.location)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.declares != -1:
            self.send_header("Content-Length", str(len(body) if server.declares is None else server.declares))
        self.end_headers()
        self.wfile.write(body[: server.cut_at])
        if server.stalls:
            self.wfile.flush()
            server.go_on.wait(30)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


def fetch(
    server: Server, path: Path, sha256: str | None = SHA256, most_bytes: int = MOST
) -> list[tuple[int, int | None]]:
    told: list[tuple[int, int | None]] = []
    download.download(
        server.url, path, sha256=sha256, most_bytes=most_bytes, on_progress=lambda *numbers: told.append(numbers)
    )
    return told


def test_a_file_is_fetched_whole_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    told = fetch(server, tmp_path / "new/file")
    assert (tmp_path / "new/file").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_after_a_cut_it_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError, match="cut") as error:
        fetch(server, tmp_path / "file")
    assert "goes on" in error.value.remedy
    assert not (tmp_path / "file").exists()
    server.cut_at = None
    told = fetch(server, tmp_path / "file")
    assert server.asked[-1][1] == "bytes=99999-"
    assert told[0] == (99_999, len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("change", ["file", "ranges", "etag"])
def test_where_it_cannot_go_on_it_begins_again(server: Server, tmp_path: Path, change: str) -> None:
    server.cut_at = 100_000
    if change == "etag":
        server.etag = None
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file")
    server.cut_at = None
    if change == "file":
        server.content, server.etag = CONTENT[::-1], '"two"'
    server.knows_ranges = change != "ranges"
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == server.content


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.etag").write_text('"one"')
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("/file.bin", f"bytes={len(CONTENT) - 1}-")]


def test_a_server_that_goes_on_elsewhere_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file", sha256=None)
    server.cut_at, server.goes_on_from = None, 1
    with pytest.raises(RwcPwError, match="elsewhere than it was asked") as error:
        fetch(server, tmp_path / "file", sha256=None)
    assert "begins anew" in error.value.remedy
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("moved", [False, True], ids=["at once", "redirected"])
def test_what_the_hub_tells_of_a_file_is_checked(server: Server, tmp_path: Path, moved: bool) -> None:
    server.moved, server.linked = moved, SHA256
    fetch(server, tmp_path / "right", sha256=None)
    server.content = CONTENT[::-1]
    with pytest.raises(RwcPwError, match="not the file"):
        fetch(server, tmp_path / "wrong", sha256=None)
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


def test_where_the_hub_tells_of_another_file_than_the_pinned_one_nothing_is_fetched(
    server: Server, tmp_path: Path
) -> None:
    server.moved, server.linked = True, "0" * 64
    with pytest.raises(RwcPwError, match="not the file"):
        fetch(server, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_of_a_small_file_the_hub_tells_no_sha256(server: Server, tmp_path: Path) -> None:
    server.linked = "0" * 40  # git's
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file_than_it_should_be_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(RwcPwError, match="not the file"):
        fetch(server, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("declares", [None, -1], ids=["declared", "undeclared"])
def test_a_file_that_is_too_large_is_refused(server: Server, tmp_path: Path, declares: int | None) -> None:
    server.declares = declares
    with pytest.raises(RwcPwError, match="has more than"):
        fetch(server, tmp_path / "file", most_bytes=len(CONTENT) - 1)
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_a_lie_is_a_cut(server: Server, tmp_path: Path) -> None:
    server.declares = len(CONTENT) + 1
    with pytest.raises(UnavailableError, match="cut"):
        fetch(server, tmp_path / "file", sha256=None)


def test_a_server_that_stalls_is_left(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "READ_TIMEOUT_S", 0.2)
    server.cut_at, server.stalls = 1000, True
    with pytest.raises(UnavailableError, match="cut"):
        fetch(server, tmp_path / "file")


@pytest.mark.parametrize("failure", [ssl.SSLError("bad record"), OSError(errno.EHOSTUNREACH, "No route to host")])
def test_a_connection_that_fails_is_not_the_disks_fault(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    def read(*_: object) -> bytes:
        raise failure

    monkeypatch.setattr(HTTPResponse, "read", read)
    with pytest.raises(UnavailableError, match="connection was cut"):
        fetch(server, tmp_path / "file")


def test_a_full_disk_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(RwcPwError, match="No space left") as error:
        fetch(server, tmp_path / "file")
    assert "Free some space" in error.value.remedy
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("status", "remedy"), [(404, "Check the address"), (429, "later"), (500, "later")])
def test_a_refusal_is_told(server: Server, tmp_path: Path, status: int, remedy: str) -> None:
    server.status = status
    with pytest.raises(UnavailableError, match=f"answers {status}") as error:
        fetch(server, tmp_path / "file")
    assert remedy in error.value.remedy


def test_a_redirect_to_where_anybody_listens_is_not_followed(server: Server, tmp_path: Path) -> None:
    server.status, server.location = 302, "http://example.invalid/file"
    with pytest.raises(UsageError, match=r"example.invalid.* is not an https address"):
        fetch(server, tmp_path / "file")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.invalid/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "x",
        "https://[",
        "https:///x",
        "https://host:port/x",
        "https://host/a b",
        "https://host/\n",
        "https://host/\u00fc",
    ],
)
def test_only_https_is_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="not an https address"):
        download.download(url, tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=lambda *_: None)


def test_a_web_page_is_no_file(server: Server, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(RwcPwError, match="web page"):
        fetch(server, tmp_path / "file")


def test_nobody_there_is_told(server: Server, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(UnavailableError, match="cannot be reached"):
        fetch(server, tmp_path / "file")


def test_a_folder_that_cannot_be_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RwcPwError, match="Cannot write"):
        fetch(server, tmp_path / "file/below")


def test_what_is_missing_is_taken_from_a_folder_in_either_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "packaged"
    packaged.write_text("fcpe")
    monkeypatch.setattr(assets, "_packaged_fcpe", lambda: packaged)
    flat, layout = tmp_path / "flat", tmp_path / "layout"
    for asset in ASSETS[:3]:
        for path in (flat / Path(asset.path).name, layout / asset.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(asset.name)
    for source in (flat, layout):
        models = tmp_path / f"from-{source.name}"
        assert len(assets.missing(models)) == 4
        assets.fetch(models, source, lambda *_: None)
        assert assets.missing(models) == []
        assert (models / ASSETS[2].path).read_text() == "RMVPE"
    (flat / "rmvpe.pt").unlink()
    with pytest.raises(UsageError, match=r"no rmvpe\.pt"):
        assets.fetch(tmp_path / "again", flat, lambda *_: None)


def test_the_hub_may_have_a_mirror_and_is_asked_for_what_is_missing_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url.rpartition("/")[0])
    monkeypatch.setattr(assets, "_packaged_fcpe", lambda: tmp_path / "none")
    monkeypatch.setattr(assets, "ASSETS", ASSETS[1:2])
    told: list[tuple[str, int, int | None]] = []
    assets.fetch(tmp_path / "models", None, lambda *progress: told.append(progress))
    assets.fetch(tmp_path / "models", None, lambda *progress: told.append(progress))
    assert [path for path, _ in server.asked] == [f"/{assets.RESOURCES}/embedders/contentvec/config.json"]
    assert told[-1] == ("ContentVec's shape", len(CONTENT), len(CONTENT))
