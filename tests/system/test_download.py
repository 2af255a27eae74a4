"""Fetching from a server that does what servers do: cuts, lies, stalls, refuses."""

import errno
import hashlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from pathlib import Path
from urllib.request import Request

import pytest

from rwc_pw.errors import RwcPwError, UnavailableError, UsageError
from rwc_pw.system import download, pace
from tests.file_server import CONTENT, Server, serving
from tests.patience import PATIENCE_S

SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 1 << 20


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


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


@pytest.mark.parametrize("cut_at", [2_000, 100_000])  # less than any Python buffers, and more than 3.11 does
def test_after_a_cut_it_goes_on_where_it_stopped(server: Server, tmp_path: Path, cut_at: int) -> None:
    server.cut_at = cut_at
    with pytest.raises(UnavailableError, match="cut") as error:
        fetch(server, tmp_path / "file")
    assert "goes on" in error.value.remedy
    assert not (tmp_path / "file").exists()
    server.cut_at = None
    told = fetch(server, tmp_path / "file")
    assert server.asked[-1][1] == f"bytes={cut_at - 1}-"
    assert told[0] == (cut_at - 1, len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("change", ["file", "ranges", "etag", "weak"])
def test_where_it_cannot_go_on_it_begins_again(server: Server, tmp_path: Path, change: str) -> None:
    server.cut_at = 100_000
    if change in ("etag", "weak"):
        server.etag = None if change == "etag" else 'W/"one"'
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file")
    server.cut_at = None
    if change == "file":
        server.content, server.etag = CONTENT[::-1], '"two"'
    if change == "weak":  # it is the same for what merely means the same
        server.content = CONTENT[::-1]
    server.knows_ranges = change != "ranges"
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == server.content


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.etag").write_text('"one"')
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("/file.bin", f"bytes={len(CONTENT) - 1}-")]


def test_a_part_with_a_tag_that_is_none_begins_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    (tmp_path / "file.part.etag").write_bytes(b'"\xff\r\n one"')
    fetch(server, tmp_path / "file")
    assert server.asked == [("/file.bin", None)]


def test_nothing_stays_of_a_longer_part_that_it_cannot_go_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[::-1] * 2)
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_is_not_gone_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT + b"12")
    (tmp_path / "file.part.etag").write_text('"one"')
    with pytest.raises(RwcPwError, match="cannot be resumed") as error:
        fetch(server, tmp_path / "file")
    assert "begins anew" in error.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_less_than_it_was_asked_for_is_asked_for_the_rest(server: Server, tmp_path: Path) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError, match="cut"):
        fetch(server, tmp_path / "file", sha256=None)
    server.cut_at, server.sends = None, 50_000
    with pytest.raises(UnavailableError, match="cut"):
        fetch(server, tmp_path / "file", sha256=None)
    server.sends = None
    fetch(server, tmp_path / "file", sha256=None)
    assert [wanted for _, wanted in server.asked] == [None, "bytes=99999-", "bytes=149998-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_goes_on_elsewhere_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file", sha256=None)
    server.cut_at, server.goes_on_from = None, 1
    with pytest.raises(RwcPwError, match="at another place than was asked") as error:
        fetch(server, tmp_path / "file", sha256=None)
    assert "begins anew" in error.value.remedy
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_goes_on_with_another_file_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file", sha256=None)
    server.cut_at, server.knows_if_range = None, False
    server.content, server.etag = CONTENT[::-1], '"two"'
    with pytest.raises(RwcPwError, match="another file now") as error:
        fetch(server, tmp_path / "file", sha256=None)
    assert "begins anew" in error.value.remedy
    fetch(server, tmp_path / "file", sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("whole", [1000, 150_000], ids=["less than is there", "less than it sends"])
def test_a_server_that_sends_more_than_there_is_is_not_believed(server: Server, tmp_path: Path, whole: int) -> None:
    server.cut_at = 100_000
    with pytest.raises(UnavailableError):
        fetch(server, tmp_path / "file", sha256=None)
    server.cut_at, server.whole = None, whole
    with pytest.raises(RwcPwError) as error:
        fetch(server, tmp_path / "file", sha256=None)
    assert "begins anew" in error.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_is_sent_compressed_although_it_was_not_asked_to_is_refused(server: Server, tmp_path: Path) -> None:
    server.encoding = "gzip"
    with pytest.raises(RwcPwError, match="sent compressed"):
        fetch(server, tmp_path / "file", sha256=None)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_what_has_come_to_go_on_with(server: Server, tmp_path: Path) -> None:
    def interrupt(done_bytes: int, _: int | None) -> None:
        if done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.download(server.url, tmp_path / "file", sha256=SHA256, most_bytes=MOST, on_progress=interrupt)
    told = fetch(server, tmp_path / "file")
    assert told[0] == (download.BLOCK_BYTES - 1, len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_of_two_that_fetch_one_file_the_second_is_told(server: Server, tmp_path: Path) -> None:
    refused: list[str] = []

    def meanwhile(done_bytes: int, _: int | None) -> None:
        if done_bytes and not refused:
            with pytest.raises(RwcPwError, match=r"Another rwc-pw is fetching file\.") as error:
                fetch(server, tmp_path / "file")
            refused.append(error.value.remedy)

    download.download(server.url, tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=meanwhile)
    assert refused == ["Wait until it has ended, then run the command again."]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_part_that_another_has_just_finished_is_left_to_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the part and locking it, it became the file."""
    (tmp_path / "file.part").write_bytes(CONTENT)
    monkeypatch.setattr(download.fcntl, "flock", lambda *_: (tmp_path / "file.part").replace(tmp_path / "file"))
    with pytest.raises(RwcPwError, match="Another rwc-pw"):
        fetch(server, tmp_path / "file", most_bytes=1)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == []


def test_plain_http_stays_on_this_machine(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        fetch(server, tmp_path / "file")
        assert proxy.asked == []


def test_https_goes_through_the_proxy_that_the_environment_names(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    with pytest.raises(UnavailableError, match="Tunnel connection failed: 501"):  # it knows no CONNECT
        download.download(
            "https://example.invalid/x", tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=lambda *_: None
        )


def test_this_machine_may_be_named_by_ipv6(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("This machine has no IPv6.")
    with serving("::1") as server:
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'attachment; filename="Ann.pth"', "Ann.pth"),
        (b"attachment; filename=Ann.pth", "Ann.pth"),
        (b"attachment;filename=Ann B.pth", "Ann B.pth"),
        (b'ATTACHMENT; FILENAME="Ann.pth"', "Ann.pth"),
        (b'filename="Ann.pth"', "Ann.pth"),
        (b"attachment; filename*=UTF-8''%E5%A3%B0.pth", "声.pth"),
        (b"attachment; filename=\"x.pth\"; filename*=UTF-8''%E5%A3%B0.pth", "声.pth"),
        (b"attachment; filename*=UTF-8''%E5%A3%B0.pth; filename=\"x.pth\"", "声.pth"),
        (b"attachment; filename*=utf-8'en'Zo%C3%AB.pth", "Zoë.pth"),
        (b"attachment; filename*=iso-8859-1''Zo%EB.pth", "Zoë.pth"),
        (b"attachment; filename*0*=UTF-8''%E5%A3; filename*1*=%B0.pth", "声.pth"),
        (b"attachment; filename*=UTF-8''100%2525.pth", "100%25.pth"),
        ('attachment; filename="声.pth"'.encode(), "声.pth"),
        ('attachment; filename="Zoë.pth"'.encode("latin-1"), "Zoë.pth"),
        (b'attachment; filename="Ann%20B.pth"', "Ann B.pth"),
        (b'attachment; filename="a \\"b\\" c.pth"', 'a "b" c.pth'),
        (b'attachment; filename="a;b.pth"', "a;b.pth"),
        (b'attachment; filename="../../etc/x.pth"', "x.pth"),
        (b'attachment; filename="..%2F..%2Fx.pth"', "x.pth"),
        (b"attachment; filename*=UTF-8''..%2Fx.pth", "x.pth"),
        (b'attachment; filename="C:\\Users\\x.pth"', "x.pth"),
        (b"attachment; filename*=nonsense''%FF.pth", "\xff.pth"),
        (b"attachment; filename*=UTF-8''%FF.pth", "\ufffd.pth"),
        (b"attachment; filename*=x.pth", "x.pth"),
        (b"attachment; filename=", ""),
        (b"attachment", None),
        (b"inline", None),
        (b";", None),
        (b"", None),
        (None, None),
    ],
)
def test_the_name_that_a_server_tells_is_understood(
    server: Server, tmp_path: Path, disposition: bytes | None, name: str | None
) -> None:
    server.disposition = disposition
    told = download.download(server.url, tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=lambda *_: None)
    assert told == name
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_a_server_says_moves_no_cursor(server: Server, tmp_path: Path) -> None:
    server.status, server.reason = 404, "Gone\x1b[2J\x9b1m."
    with pytest.raises(UnavailableError) as error:
        fetch(server, tmp_path / "file")
    assert error.value.message == f"{server.url} answers 404 Gone[2J1m."


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
    told: list[int] = []
    with pytest.raises(RwcPwError, match="not the file"):
        download.download(
            server.url, tmp_path / "file", sha256=SHA256, most_bytes=MOST, on_progress=lambda done, _: told.append(done)
        )
    assert told == []
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


def test_a_length_without_end_is_none(server: Server, tmp_path: Path) -> None:
    server.declares = "9" * 5000
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


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


@pytest.mark.parametrize(
    ("status", "remedy"), [(202, "Check the address"), (404, "Check the address"), (429, "later"), (500, "later")]
)
def test_a_refusal_is_told(server: Server, tmp_path: Path, status: int, remedy: str) -> None:
    server.status = status
    with pytest.raises(UnavailableError, match=f"answers {status}") as error:
        fetch(server, tmp_path / "file")
    assert remedy in error.value.remedy


def test_a_redirect_to_where_anybody_listens_is_not_followed(server: Server, tmp_path: Path) -> None:
    server.status, server.location = 302, "http://example.invalid/file"
    with pytest.raises(UsageError, match=r"example.invalid.* is not an https address"):
        fetch(server, tmp_path / "file")


def test_a_redirect_to_a_name_that_cannot_be_one_is_told(server: Server, tmp_path: Path) -> None:
    server.status, server.location = 302, "https://a..b/file"
    with pytest.raises(UsageError, match=r"https://a\.\.b/file is not an https address"):
        fetch(server, tmp_path / "file")


def test_a_redirect_from_elsewhere_to_this_machine_is_not_followed() -> None:
    redirects = download._SafeRedirects()
    with pytest.raises(UsageError, match="redirects to"):
        redirects.redirect_request(
            Request("https://example.invalid/x"), BytesIO(), 302, "Found", HTTPMessage(), "http://127.0.0.1/x"
        )


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
        "https://a..b/x",
        "https://user:password@host/x",
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


@contextmanager
def never_ending(first: bytes, then: bytes, *, pause_s: float = 0.0) -> Iterator[str]:
    """A server that answers the first request with ``first``, and then ``then`` until it is left; its address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(first)
            while True:
                connection.sendall(then)
                if select.select([connection], [], [], pause_s)[0]:
                    return  # it was closed

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x"
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


OK = b'HTTP/1.1 200 OK\r\nETag: "one"\r\n'
PYTHON_3_14 = "100 (interim responses|trailers)"
"""Its own limits."""


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, f"more than (an answer has|{PYTHON_3_14})"),
        (OK, b"X-Header: " + b"x" * 50_000 + b"\r\n", "more than an answer has"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", bytes(1 << 16), "more than an answer has"),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-Trailer: x\r\n" * 5000,
            f"more than (an answer has|{PYTHON_3_14})",
        ),
        (OK + b"\r\n", bytes(1 << 16), "has more than"),
    ],
    ids=["continue", "headers", "redirect", "trailers", "file"],
)
def test_an_answer_without_end_is_left(tmp_path: Path, first: bytes, then: bytes, told: str) -> None:
    with never_ending(first, then) as url, pytest.raises(RwcPwError, match=told):
        download.download(url, tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"HTTP/1.1 200", b" "), (b"HTTP/1.1 100 Continue\r\nX: ", b"x"), (OK + b"\r\n", b"x"), (OK + b"X: ", b"x")],
    ids=["status", "continue", "file", "header"],
)
def test_a_server_that_sends_a_byte_now_and_then_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes
) -> None:
    monkeypatch.setattr(pace, "WINDOW_S", 0.2)
    with never_ending(first, then, pause_s=0.01) as url, pytest.raises(UnavailableError, match="too slow") as error:
        download.download(url, tmp_path / "file", sha256=None, most_bytes=MOST, on_progress=lambda *_: None)
    assert "goes on" in error.value.remedy


def test_nothing_is_left_of_a_file_of_which_nothing_has_come(server: Server, tmp_path: Path) -> None:
    server.cut_at = 0
    with pytest.raises(UnavailableError, match="cut"):
        fetch(server, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
