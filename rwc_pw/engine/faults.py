"""The state of the sound, and the fault that matters most if it does not flow: pure."""

from rwc_pw.audio.samples import milliseconds
from rwc_pw.engine.voice_state import VoiceState, Why
from rwc_pw.errors import Fault
from rwc_pw.pipewire.supervision import NodeState
from rwc_pw.status import State
from rwc_pw.streaming.pipeline import PipelineMetrics


def fault_in(voice: VoiceState, nodes: NodeState, metrics: PipelineMetrics, is_silent: bool) -> Fault | None:
    """The reason why apps hear silence, wholly or in part, and its remedy; ``is_silent`` if nobody speaks."""
    if known := voice.fault or nodes.fault or metrics.fault:
        return known
    if voice.loading and not voice.speaking:
        before = "the GPU failed, and " if voice.load is Why.GPU_FAILED else ""
        return Fault(f"{before}the voice {voice.loading} is being loaded")
    if metrics.real_time_factor > 1 and nodes.listeners and not is_silent:
        slow = f"the converter needs {metrics.real_time_factor:.1f} s for 1 s of sound, and most of it is lost"
        return Fault(slow, "Choose a larger `rwc-pw set --chunk-size`, a GPU or a built-in voice.")
    if overdue := metrics.buffer_health.overdue_samples:
        behind = f"the converter is {milliseconds(overdue):.0f} ms behind"
        return Fault(behind, "If it stays so, choose a larger `rwc-pw set --chunk-size`.")
    return None


def state_of(nodes: NodeState, fault: Fault | None) -> State:
    """The state that apps would notice, with the fault of ``fault_in``."""
    if fault:
        return State.DEGRADED
    return State.RUNNING if nodes.flows else State.ARMED
