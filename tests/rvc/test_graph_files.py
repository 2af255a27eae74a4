"""The graphs that are kept, and the process that builds them."""

import os
import signal
import subprocess
import sys

import pytest

from rwc_pw.errors import RwcPwError
from rwc_pw.rvc import graph_files
from rwc_pw.rvc.graph_files import GraphFiles, forget
from tests.patience import wait_for_end

pytestmark = pytest.mark.needs_rvc

WRITE = ("-c", "import sys; open(sys.argv[1] + '/one.xml', 'w').write(' '.join(sys.argv[2:]))")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"1")
    return path


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(graph_files, "BUILD", WRITE)
    return tmp_path / "kept"


def test_what_is_kept_is_found_and_what_it_replaces_goes(kept, weights, monkeypatch):
    files = GraphFiles(kept)
    first = files.voice("Otto", weights, 1)
    assert [path.name for path in first.iterdir()] == ["one.xml"]
    assert (first / "one.xml").read_text() == f"voice {weights.parent} 1"
    (weights.parent / "pytorch_model.bin").write_bytes(b"1")
    others = files.voice("Otto-2", weights, 1), files.content(weights.parent, "v2"), files.salience("fcpe", weights)
    with monkeypatch.context() as patch:
        patch.setattr(graph_files, "BUILD", ("-c", "raise SystemExit('it was to be built')"))
        assert files.voice("Otto", weights, 1) == first
    second = files.voice("Otto", weights, 2)
    os.utime(weights, ns=(1, 1))
    third = files.voice("Otto", weights, 2)
    assert not first.exists()
    assert not second.exists()
    assert sorted(kept.iterdir()) == sorted([*others, third])


def test_what_is_discarded_or_forgotten_goes_alone(kept, weights):
    other = GraphFiles(kept).voice("Otto-2", weights, 1)
    files = GraphFiles(kept)
    damaged = files.voice("Anna", weights, 1)
    files.discard()
    assert (damaged.exists(), other.exists()) == (False, True)
    files.voice("Otto", weights, 1)
    forget(kept, "Otto")
    assert list(kept.iterdir()) == [other]


@pytest.mark.parametrize(
    ("program", "told"),
    [("raise ValueError('no network')", "built: ValueError: no network"), ("raise SystemExit(3)", "it ended with 3")],
)
def test_a_build_that_fails_is_told_and_leaves_nothing(kept, weights, monkeypatch, program, told):
    monkeypatch.setattr(graph_files, "BUILD", ("-c", program))
    with pytest.raises(RwcPwError, match=told):
        GraphFiles(kept).voice("Otto", weights, 1)
    assert list(kept.iterdir()) == []


BUILD = """
import sys, threading
from pathlib import Path
from rwc_pw.rvc import graph_files

graph_files.BUILD = ("-c", "import os, signal, sys; from rwc_pw.system.child import end_with_standard_input as end; "
                     "end(); print(os.getpid(), file=open(sys.argv[1] + '/pid', 'w')); signal.pause()")
graph_files.GraphFiles(Path(sys.argv[1])).voice("Otto", Path(sys.argv[2]), 1)
"""


def test_the_builder_is_nice_and_ends_with_us_when_we_are_killed(kept, weights):
    with subprocess.Popen([sys.executable, "-c", BUILD, str(kept), str(weights)]) as process:
        while not (found := [path for path in kept.glob(".compiling-*/pid") if path.read_text()]):
            os.sched_yield()
        builder = int(found[0].read_text())
        ended = os.pidfd_open(builder)
        try:
            while not os.getpriority(os.PRIO_PROCESS, builder):
                os.sched_yield()
        finally:
            process.send_signal(signal.SIGKILL)
    wait_for_end(ended)
