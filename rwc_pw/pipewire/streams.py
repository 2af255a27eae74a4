"""The two pw-cat processes, and the transport between them."""

import asyncio
import contextlib
import fcntl
import os
from typing import Any

from rwc_pw.channels.downmix import Downmix
from rwc_pw.errors import UnavailableError
from rwc_pw.pipewire.player_pipe import PlayerPipe
from rwc_pw.pipewire.process import start, terminate, wait_or_kill
from rwc_pw.pipewire.pw_cat import PwCat
from rwc_pw.pipewire.recorder_pipe import RecorderPipe, pipe_bytes
from rwc_pw.pipewire.supervision import OwnStreams
from rwc_pw.pipewire.transport import Transport
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.priority import raise_priority


class Streams:
    """A recorder and a player in PipeWire's graph; the node manager links them."""

    def __init__(
        self, pw_cat: PwCat, pipeline: StreamingPipeline, quantum: int, channels: int, downmix: Downmix
    ) -> None:
        self.own = OwnStreams(f"rwc_pw.capture.{os.getpid()}", f"rwc_pw.playback.{os.getpid()}", channels)
        self._pw_cat = pw_cat
        self._quantum = quantum
        self._pipeline = pipeline
        self._downmix = downmix
        self._processes: list[asyncio.subprocess.Process] = []
        self._descriptors: list[int] = []
        self._failed = asyncio.Event()
        self.transport: Transport

    async def __aenter__(self) -> "Streams":
        try:
            await self._start_all()
        except BaseException:
            await self._end_processes()
            raise
        self.transport.start()
        return self

    async def _start_all(self) -> None:
        capture_read, capture_write = os.pipe()
        self._descriptors.append(capture_read)
        try:
            with contextlib.suppress(OSError):  # beyond what the system allows, it stays as it is
                fcntl.fcntl(capture_write, fcntl.F_SETPIPE_SZ, pipe_bytes(self.own.channels))
            await self._start(
                self._pw_cat.capture(self.own.capture, self._quantum, self.own.channels), stdout=capture_write
            )
        finally:
            os.close(capture_write)
        playback_read, playback_write = os.pipe2(os.O_NONBLOCK)
        self._descriptors.append(playback_write)
        try:
            drain = os.open(f"/proc/self/fd/{playback_read}", os.O_RDONLY | os.O_NONBLOCK)
            self._descriptors.append(drain)
            os.set_blocking(playback_read, True)  # pw-cat takes EAGAIN for the end of the file
            await self._start(self._pw_cat.playback(self.own.playback, self._quantum), stdin=playback_read)
        finally:
            os.close(playback_read)
        loop = asyncio.get_running_loop()
        self.transport = Transport(
            RecorderPipe(capture_read, self.own.channels, self._downmix),
            PlayerPipe(playback_write, drain),
            self._pipeline,
            on_failure=lambda: loop.call_soon_threadsafe(self._failed.set),
        )

    async def __aexit__(self, *_: object) -> None:
        """End the transport, send SIGTERM, then close our pipe ends: pw-cat ignores SIGTERM while blocked on a pipe."""
        self.transport.stop()
        await self._end_processes()

    async def _end_processes(self) -> None:
        for process in self._processes:
            terminate(process)
        for descriptor in self._descriptors:
            os.close(descriptor)
        await wait_or_kill(*self._processes)

    def kill(self) -> None:
        """End the processes this instant, with all the sound that they still hold, also if they are stopped."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self._failed.set()

    async def until_one_ends(self) -> None:
        """Never return: raise ``UnavailableError`` when a pw-cat or the transport ends."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(process.wait()) for process in self._processes]
        waits.append(asyncio.ensure_future(self._failed.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        raise UnavailableError("A pw-cat of ours ended unexpectedly.", "It is started again.")

    async def _start(self, argv: list[str], **pipes: int) -> None:
        process = await start(argv, **pipes)
        self._processes.append(process)
        raise_priority(process.pid)
