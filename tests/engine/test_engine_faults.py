"""What is told of the sound, from the voice, the nodes and the pipeline."""

from dataclasses import replace

import pytest

from rwc_pw.config import Config
from rwc_pw.engine.faults import fault_in, state_of
from rwc_pw.engine.voice_state import VoiceState, Why
from rwc_pw.errors import Fault
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.status import State
from rwc_pw.streaming.buffers import BufferHealth
from rwc_pw.streaming.pipeline import PipelineMetrics

VOICE = VoiceState(Config(voice="Otto"), speaking="Otto")
LOADING = replace(VOICE, speaking="", load=Why.CHOSEN)
NODES = NodeState(fault=None, listeners=("Zoom",), flows=True)
HEALTH = BufferHealth(0, 0, 0, 0, 0)
METRICS = PipelineMetrics(1.0, 20.0, 0.5, 10, 0.0, 0.0, HEALTH, None)
NO_MEMORY, NO_MICROPHONE, NO_SOUND = Fault("no memory"), Fault("no microphone"), Fault("the converter failed")
NO_NODES = replace(NODES, fault=NO_MICROPHONE)
SLOW = replace(METRICS, real_time_factor=1.5)
BEHIND = replace(METRICS, buffer_health=replace(HEALTH, overdue_samples=4800))


@pytest.mark.parametrize(
    ("voice", "nodes", "metrics", "reason"),
    [
        (VOICE, NODES, METRICS, None),
        (
            replace(VOICE, failed=Why.CHOSEN, load_fault=NO_MEMORY),
            replace(NODES, fault=NO_MICROPHONE),
            METRICS,
            "no mem",
        ),
        (replace(VOICE, failed=Why.RESIZED, load_fault=NO_MEMORY), NODES, METRICS, None),
        (LOADING, NO_NODES, replace(METRICS, fault=NO_SOUND), "no microphone"),
        (LOADING, NODES, replace(METRICS, fault=NO_SOUND), "the converter failed"),
        (LOADING, NODES, METRICS, "the voice Otto is being loaded"),
        (replace(LOADING, load=Why.GPU_FAILED), NODES, METRICS, "the GPU failed, and the voice Otto is being loaded"),
        (replace(VOICE, load=Why.CHOSEN), NODES, METRICS, None),
        (VOICE, NODES, SLOW, "the converter needs 1.5 s for 1 s of sound"),
        (VOICE, replace(NODES, listeners=()), SLOW, None),
        (VOICE, NODES, BEHIND, "the converter is 100 ms behind"),
    ],
)
def test_the_most_important_fault_is_told(voice, nodes, metrics, reason):
    fault = fault_in(voice, nodes, metrics, is_silent=False)
    assert fault is None if reason is None else fault.reason.startswith(reason)


def test_a_slow_converter_is_no_fault_while_nobody_speaks():
    assert fault_in(VOICE, NODES, SLOW, is_silent=True) is None


@pytest.mark.parametrize(
    ("flows", "fault", "state"),
    [(True, None, State.RUNNING), (False, None, State.ARMED), (True, NO_MEMORY, State.DEGRADED)],
)
def test_only_sound_that_flows_is_running(flows, fault, state):
    assert state_of(replace(NODES, flows=flows), fault) is state
