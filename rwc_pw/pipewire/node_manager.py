"""Keeps RWC Voice fed: its node, two streams and their links, whatever comes and goes around them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from rwc_pw.channels.downmix import Downmix
from rwc_pw.errors import Fault, RwcPwError, fault_of
from rwc_pw.pipewire.connection import Connection
from rwc_pw.pipewire.default_source import DefaultSourceWatch
from rwc_pw.pipewire.feeder import Lock, sole_feeder
from rwc_pw.pipewire.pw_cat import installed_pw_cat
from rwc_pw.pipewire.source import followed_graph
from rwc_pw.pipewire.supervision import Circumstances, NodeState
from rwc_pw.pipewire.transport import Transport
from rwc_pw.streaming.pipeline import StreamingPipeline
from rwc_pw.system.backoff import Backoff
from rwc_pw.system.tasks import again_and_again

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 1.0  # sound must be back within two seconds of PipeWire

T = TypeVar("T")

log = logging.getLogger(__name__)


class NodeManager:
    """Supervises everything of ours in PipeWire; ``run`` lasts until cancelled."""

    def __init__(
        self,
        pipeline: StreamingPipeline,
        source_properties: str,
        quantum: int,
        on_change: Callable[[NodeState], None],
    ) -> None:
        """``source_properties`` describes the drop-in's node, for a PipeWire that has not read the drop-in yet."""
        self.state = NodeState()
        self._pipeline = pipeline
        self._source_properties = source_properties
        self._quantum = quantum
        self._on_change = on_change
        self._circumstances = Circumstances()
        self._downmix = Downmix()
        self._lock: Lock | None = None
        self._connection: Connection | None = None
        self._skipped_samples = 0  # in connections that have ended
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)

    @property
    def transport(self) -> Transport | None:
        streams = self._connection.streams if self._connection else None
        return streams.transport if streams else None

    @property
    def skipped_samples(self) -> int:
        """Number of samples that were converted, but skipped because the player had fallen behind."""
        return self._skipped_samples + (self._connection.skipped_samples if self._connection else 0)

    def was_asked_to_give_way(self) -> bool:
        """Return whether another rwc-pw has wanted to feed RWC Voice, or to remove it, since the last call."""
        return self._lock is not None and self._lock.was_asked_for()

    @property
    def channel(self) -> str:
        """The microphone's channel that is taken, from 1, or ``mix``; empty if it has only one, or none is chosen."""
        return self._downmix.told

    def choose(self, microphone: str, channel: str) -> None:
        """Record from this source and channel from now on; an empty source follows the default."""
        self._adapt(microphone=microphone, channel=channel)

    def pin_volume(self, pinned: bool) -> None:
        """Keep RWC Voice at 100 %, whoever turns it down."""
        self._adapt(pin_volume=pinned)

    def renew_streams(self) -> None:
        """Create the streams again, so that none of their last sound is output: a paused stream keeps it."""
        if self._connection and self._connection.streams:
            self._connection.streams.kill()

    def replace_pipeline(self, pipeline: StreamingPipeline) -> None:
        """Use this pipeline, already started, from the next block on."""
        self._pipeline = pipeline
        if self._connection:
            self._connection.replace_pipeline(pipeline)

    async def run(self) -> None:
        """Serve, and start again if PipeWire, the session manager or one of our processes ends."""
        loop = asyncio.get_running_loop()
        watch = DefaultSourceWatch(
            lambda name: _soon(loop, self._note_default_source, name),
            lambda fault: _soon(loop, self._note_server_fault, fault),
        )
        watch.start()
        try:
            await again_and_again(lambda: self._serve(watch), self._backoff, self._note_failure)
        finally:
            watch.stop()

    async def _serve(self, watch: DefaultSourceWatch) -> None:
        try:
            with sole_feeder() as self._lock:
                async with followed_graph() as graphs:
                    graph = await anext(graphs)
                    pw_cat = await installed_pw_cat()
                    self._connection = Connection(
                        graph,
                        self._circumstances,
                        self._source_properties,
                        self._downmix,
                        self._pipeline,
                        self._quantum,
                    )
                    await self._connection.run(
                        graphs,
                        pw_cat,
                        self._backoff,
                        on_state=self._set_state,
                        on_failure=self._note_failure,
                        on_calm=watch.check,
                    )
        finally:
            self._skipped_samples = self.skipped_samples
            self._lock = self._connection = None

    def _note_default_source(self, name: str) -> None:
        self._adapt(default_source=name, server_fault=None)

    def _note_server_fault(self, fault: Fault) -> None:
        if fault != self._circumstances.server_fault:  # else it is the next of many attempts
            self._adapt(server_fault=fault)

    def _adapt(self, **changes: Any) -> None:
        self._circumstances = replace(self._circumstances, **changes)
        if self._connection:
            self._connection.adapt(self._circumstances)

    def _note_failure(self, error: RwcPwError | OSError) -> None:
        fault = fault_of(error)
        if fault != self.state.fault:  # else it is the next of many attempts
            log.warning("%s", error)
        self._set_state(NodeState(fault=fault))

    def _set_state(self, state: NodeState) -> None:
        if state != self.state:
            self.state = state
            self._on_change(state)


def _soon(loop: asyncio.AbstractEventLoop, action: Callable[[T], None], argument: T) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed
        loop.call_soon_threadsafe(action, argument)
