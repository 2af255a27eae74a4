"""The node manager in this process, around a converter that the test brings."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Self
from unittest.mock import patch

from rwc_pw.desktop.dropin import source_properties
from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.node_manager import NodeManager
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.streaming import BufferConfig, ConversionBackend, StreamingPipeline
from tests.patience import PATIENCE_S


class Rig:
    """Feeds RWC Voice of a private session through ``backend``; everything ends with the ``with``."""

    def __init__(
        self, headless: HeadlessPipeWire, backend: ConversionBackend, *, chunk_size: int = 256, quantum: int = 256
    ) -> None:
        self._environment = headless.environment
        self.pipeline = StreamingPipeline(backend, BufferConfig(chunk_size=chunk_size))
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(quantum,), name="rig")

    def __enter__(self) -> Self:
        """Start; on return the microphone is wired to RWC Voice, if there is one."""
        self._patch = patch.dict(os.environ, self._environment)
        self._patch.start()
        self.pipeline.start()
        self._thread.start()
        self.wait(lambda state: not state.fault or "PipeWire" not in state.fault.reason)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the node manager did not end"
        self.pipeline.stop()
        self._patch.stop()

    def wait(self, expected: Callable[[NodeState], bool]) -> NodeState:
        """The first state that is as expected."""
        with self._changed:
            assert self._changed.wait_for(lambda: hasattr(self, "nodes") and expected(self.nodes.state), PATIENCE_S), (
                f"last: {self.nodes.state}"
            )
            return self.nodes.state

    def declared_samples(self) -> float:
        """The delay from the microphone to the app that we would tell the user."""
        return self.nodes.transport.latency_samples + self.pipeline.get_metrics().total_latency_ms * 48

    def _run(self, quantum: int) -> None:
        asyncio.set_event_loop(self._loop)
        self.nodes = NodeManager(self.pipeline, source_properties(), quantum, self._note)
        self._task = self._loop.create_task(self.nodes.run())
        self._loop.run_until_complete(asyncio.wait([self._task]))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _note(self, _: NodeState) -> None:
        with self._changed:
            self._changed.notify_all()


class Stalling(ConversionBackend):
    """Passes sound on, and stops for as long as ``hold`` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def initialize(self) -> None: ...

    def convert_chunk(self, audio_chunk, context=None):
        self.go.wait()
        return audio_chunk

    def cleanup(self) -> None: ...
