"""Plays speech into RWC Voice on a private PipeWire, and records it as an app does."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rwc_pw.audio.samples import SAMPLE_RATE_HZ, Samples
from rwc_pw.channels.options import AUTO
from rwc_pw.config import Config, assets_dir_of, save_config
from rwc_pw.desktop import launcher
from rwc_pw.errors import RwcPwError
from rwc_pw.headless.conf import MICROPHONE
from rwc_pw.headless.recording import AppRecorder, Frames, Player
from rwc_pw.headless.servers import end
from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.names import SOURCE_NODE
from rwc_pw.pipewire.argv import DIES_WITH_US
from rwc_pw.pipewire.graph import Graph
from rwc_pw.status import Status
from rwc_pw.system.paths import Paths
from rwc_pw.system.writing import make_folder
from rwc_pw.voices.store import VoiceStore

LEAD_IN_SAMPLES = SAMPLE_RATE_HZ // 5
TAIL_SAMPLES = SAMPLE_RATE_HZ // 2  # on top of the delay
PATIENCE_S = 20.0
LOADING_PATIENCE_S = 120.0


def perform(config: Config, paths: Paths, speech: Samples, rate_hz: int, root: Path) -> tuple[Frames, Status]:
    """Microphone and RWC Voice as one app records both, (n, 2), from before the first word until after the last.

    The daemon is a separate process with the user's settings and voices; its temporary files are in ``root``.
    """
    with (
        HeadlessPipeWire(root, quantum=config.quantum) as headless,
        _daemon(headless, config, paths),
        AppRecorder(headless, f"{MICROPHONE}:capture_MONO", f"{SOURCE_NODE}:capture_MONO") as recorder,
    ):
        recorder.wait(LEAD_IN_SAMPLES, PATIENCE_S)
        with Player(headless, speech, rate_hz=rate_hz) as player:
            player.wait(len(speech) / rate_hz + PATIENCE_S)
            status = _status(headless)
            if status.latency_ms is None:
                raise _silent("does not speak", status, "nothing reaches it")
        tail = TAIL_SAMPLES + round(status.latency_ms * SAMPLE_RATE_HZ / 1000)
        recorder.wait(len(recorder.frames()) + tail, PATIENCE_S)
        return recorder.frames(), status


@contextmanager
def _daemon(headless: HeadlessPipeWire, config: Config, paths: Paths) -> Iterator[None]:
    """rwc-pw's daemon in the private session; on entry it is wired and ready to speak."""
    _furnish(Paths.from_environment(headless.environment), config, paths)
    daemon = subprocess.Popen(
        [*DIES_WITH_US, *launcher.command(), "daemon"],
        env=headless.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches only us; we shut it down
    )
    try:
        try:
            headless.wait_for(_is_wired, timeout_s=PATIENCE_S)
        except RwcPwError as error:
            raise _silent("did not start", _status(headless), "its daemon is not ready") from error
        if config.is_rvc:
            _until_loaded(headless)
        yield
    finally:
        end(daemon)


def _furnish(there: Paths, config: Config, paths: Paths) -> None:
    """Provide the user's settings and voices ``there``, in the private session."""
    if config.is_rvc:
        for link, folder in ((there.voices_dir, paths.voices_dir), (there.compiled_dir, paths.compiled_dir)):
            if link != folder:
                make_folder(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(folder)
    usual = {"input_device": "", "input_channel": AUTO}
    settings = {**asdict(config), **usual, "rvc_models": str(assets_dir_of(config, paths))}
    save_config(there.config_file, settings, VoiceStore(there.voices_dir).names())


def _until_loaded(headless: HeadlessPipeWire) -> None:
    """Wait for the voice; ``RwcPwError`` if it cannot be loaded."""
    watch = subprocess.Popen(
        [*DIES_WITH_US, *launcher.command(), "status", "--watch", "--json"],
        env=headless.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(LOADING_PATIENCE_S, watch.terminate)
    patience.start()
    status = Status(loading="it")
    try:
        for line in watch.stdout or ():
            status = Status.from_json(line)
            if not status.loading:
                break
    finally:
        patience.cancel()
        watch.kill()
        watch.communicate()
    if status.loading or status.reason:
        raise _silent("does not speak", status, "its voice is not ready")


def _silent(how: str, status: Status, otherwise: str) -> RwcPwError:
    return RwcPwError(f"RWC Voice {how}: {status.reason or otherwise}.", status.remedy or "Run `rwc-pw doctor`.")


def _is_wired(graph: Graph) -> bool:
    """Return whether we are linked to RWC Voice; the microphone is linked once an app listens."""
    return bool(graph.feeders())


def _status(headless: HeadlessPipeWire) -> Status:
    return Status.from_json(headless.run(*launcher.command(), "status", "--json"))
