"""``enable`` and ``disable``: at once, twice, without PipeWire, and without a trace."""

import signal
import subprocess
from pathlib import Path

import pytest

from rwc_pw.headless.session import HeadlessPipeWire
from tests.patience import PATIENCE_S
from tests.servers.pulse_client import source_names
from tests.servers.session import processes


def ours(headless: HeadlessPipeWire) -> list[str]:
    """Processes that rwc-pw has started."""
    return [line for _, line in processes(headless.root) if "rwc_pw" in line or "pw-dump" in line]


def files(headless: HeadlessPipeWire) -> set[Path]:
    homes = [Path(headless.environment[name]) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")]
    return {path for home in homes for path in home.rglob("*") if "pulse" not in path.parts}


def test_enable_makes_the_microphone_at_once_and_disable_leaves_nothing(headless, program):
    before = files(headless)
    program("enable")
    assert source_names(headless).count("rwc_voice") == 1
    assert len(files(headless) - before) >= 3
    assert ours(headless)
    program("disable")
    assert "rwc_voice" not in source_names(headless)
    assert files(headless) == before
    assert ours(headless) == []


def test_both_are_idempotent(headless, program):
    program("enable")
    running = ours(headless)
    program("enable")
    assert ours(headless) == running
    assert source_names(headless).count("rwc_voice") == 1
    program("disable")
    program("disable")


def test_after_a_restart_of_pipewire_the_drop_in_makes_the_microphone(headless, program):
    program("enable")
    with program.watched() as watch:
        watch.until(state="armed")
        headless.kill("pipewire")
        watch.until(state="degraded")
        headless.restart("pipewire")
        watch.until(state="armed")
    assert source_names(headless).count("rwc_voice") == 1


def test_enable_and_disable_work_while_pipewire_is_down(headless, program):
    before = files(headless)
    headless.kill("pipewire")
    assert "silent" in program("enable")
    assert program.status()["state"] == "degraded"
    program("disable")
    assert files(headless) == before
    assert ours(headless) == []


def test_a_microphone_that_somebody_takes_away_is_made_again_each_time(headless, program):
    program("enable")
    with program.watched() as watch:
        watch.until(state="armed")
        for _ in range(2):
            [node] = headless.wait_for(lambda graph: graph.voice_nodes())
            headless.run("pw-cli", "destroy", str(node.id))
            watch.until(state="degraded", reason="PipeWire has no RWC Voice yet")
            watch.until(state="armed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_closed_takes_the_microphone_along(headless, program, number):
    process = subprocess.Popen(program.argv("real-time"), env=program.environment, stdout=subprocess.DEVNULL)
    headless.wait_for(lambda graph: graph.feeders())
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 128 + number
    assert "rwc_voice" not in source_names(headless)
    assert ours(headless) == []


def test_a_second_daemon_is_refused(program):
    program("enable")
    assert "already running" in program.complaint("daemon", code=1)


def test_uninstall_keeps_voices_that_nobody_agreed_to_delete(program):
    program("enable", "--voice", "robot")
    voice = Path(program.environment["XDG_DATA_HOME"], "rwc-pw", "models", "mine", "model.pth")
    voice.parent.mkdir(parents=True)
    voice.write_bytes(b"mine")
    program("uninstall")
    assert voice.exists()
    assert not Path(program.environment["XDG_CONFIG_HOME"], "rwc-pw").exists()
    assets = Path(program.environment["XDG_DATA_HOME"], "rwc-pw", "rvc-models", "rvc")
    assets.mkdir(parents=True)
    Path(program.environment["XDG_DATA_HOME"], "rwc-pw", "venv.uv").mkdir()  # of an installation that failed
    program("uninstall", "--yes")
    assert not Path(program.environment["XDG_DATA_HOME"], "rwc-pw").exists()
