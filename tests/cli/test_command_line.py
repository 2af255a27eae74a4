"""The program as a user runs it, where it needs neither PipeWire nor a bus."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.patience import PATIENCE_S

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA", "STATE")}
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), **homes}


@pytest.fixture
def run(environment, tmp_path) -> Run:
    """``rwc-pw`` in an empty home; its standard output is collected, or goes to ``stdout``."""

    def run(*arguments: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "rwc_pw", *arguments],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("voices",), ("status", "--json"), ("--help",), ("--version",)], ids=" ".join)
def test_where_the_output_cannot_be_written_that_is_told(run, environment, arguments, unbuffered):
    environment["PYTHONUNBUFFERED"] = unbuffered
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, stdout=full)
    assert (done.returncode, done.stderr) == (1, "rwc-pw: The output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("arguments", [("voices",), ("--help",)], ids=" ".join)
def test_where_nobody_reads_any_more_nothing_is_said(run, arguments):
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = run(*arguments, stdout=writes)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (1, "")


def test_without_an_output_the_work_is_done_all_the_same(environment, tmp_path):
    program = (sys.executable, "-P", "-m", "rwc_pw", "use", "robot")
    done = subprocess.run(("sh", "-c", '"$@" >&-', "sh", *program), env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "robot" in (tmp_path / "CONFIG/rwc-pw/config.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("use", "Voice.zip"), "rwc-pw voices add Voice.zip"),
        (("use", "https://example.org/Voice.zip"), "rwc-pw voices add https://example.org/Voice.zip"),
        (("bench", "--seconds", "nan"), "--seconds"),
        (("bench", "--picture", "nowhere/bench.png"), "in a folder that exists"),
        (("bench", "--picture", "bench.jpg"), "Name a .png"),
        (("use", "brighter", "--pitch", "24"), "+28 semitones"),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_before_anything_is_done(run, arguments, told):
    done = run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_all_settings_are_shown_and_which_ones_were_changed(run):
    assert run("use", "brighter", "--pitch", "-1.5").returncode == 0
    told = run("set").stdout.splitlines()
    assert 'voice = "brighter"  # by default "deeper"' in told
    assert "pitch = -1.5  # by default 0.0" in told
    assert "formant = 0.0" in told


def test_without_a_home_and_a_bus_it_is_off(run, environment):
    del environment["HOME"]
    done = run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "off: There is no D-Bus session bus" in done.stdout


def test_where_there_is_no_bus_the_voice_is_kept_for_its_next_start(run):
    done = run("enable", "--voice", "giant")
    assert done.returncode == 69
    assert "There is no D-Bus session bus" in done.stderr
    assert 'voice = "giant"' in run("set").stdout


def test_nothing_is_registered_with_a_configuration_that_cannot_be_used(run, tmp_path):
    (tmp_path / "CONFIG/rwc-pw").mkdir(parents=True)
    (tmp_path / "CONFIG/rwc-pw/config.toml").write_text('pitch = "high"\n')
    assert run("enable", "--voice", "giant").returncode == 78
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["config.toml"]


ASKS = """
import typer
from rwc_pw.cli.edge import Edge

app = typer.Typer(cls=Edge)
app.callback()(lambda: None)
app.command("ask")(lambda: typer.confirm("Sure?", abort=True))
app()
"""


def test_a_question_that_nobody_answers_is_told():
    done = subprocess.run((sys.executable, "-c", ASKS, "ask"), input=b"", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Nobody answered the question." in done.stderr


@pytest.mark.parametrize(("answer", "code"), [("", 130), ("n\n", 1)], ids=["Ctrl-C", "no"])
def test_ctrl_c_at_a_question_is_an_interruption_and_no_is_none(answer, code):
    pipe = subprocess.PIPE
    with subprocess.Popen((sys.executable, "-uc", ASKS, "ask"), stdin=pipe, stdout=pipe, stderr=pipe) as program:
        assert program.stdout.read(5) == b"Sure?"
        # a signal that came just before Python's read() would wait with it
        while "pipe" not in Path(f"/proc/{program.pid}/wchan").read_text():
            os.sched_yield()
        program.stdin.write(answer.encode())
        program.stdin.flush()
        if not answer:
            program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE_S) == code
        assert b"Traceback" not in program.stderr.read()


SWALLOWS = """
import asyncio, signal
from rwc_pw.cli.edge import end_in_order, run_until_signal

async def work() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException:  # as in a callback or a destructor
        pass
    await asyncio.Event().wait()

end_in_order()
run_until_signal(work())
"""


def test_a_signal_that_comes_where_exceptions_are_lost_ends_the_work_too():
    assert subprocess.run((sys.executable, "-c", SWALLOWS), timeout=PATIENCE_S, check=False).returncode == 143
