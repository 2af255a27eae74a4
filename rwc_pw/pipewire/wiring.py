"""Links that carry the sound, and reasons why it cannot flow: pure decisions, from one snapshot of the graph."""

from collections.abc import Sequence
from dataclasses import dataclass

from rwc_pw.channels.options import channels_of
from rwc_pw.errors import Fault
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.inputs import is_microphone, not_there


@dataclass(frozen=True)
class Wiring:
    """Changes by which sound flows from the microphone through us to RWC Voice, and nowhere else."""

    create: tuple[tuple[int, int], ...]
    """Pairs of an output and an input port to link, the first of each stream first."""
    destroy: tuple[tuple[int, int], ...]
    """Pairs of an output and an input port to unlink, those first that may let the real voice out."""


def plan_wiring(
    graph: Graph, microphone: Node | None, capture: str, playback: str, channels: Sequence[int] = (0,)
) -> Wiring:
    """Compare the links of the streams named ``capture`` and ``playback`` with those they should have.

    Of the microphone's ``channels``, from 0, those that it has are linked, the first of them first, and only while an
    app listens to RWC Voice.
    """
    # linked to a microphone that another app keeps running, we would run, too, although nobody listens
    heard = microphone if graph.listeners() else None
    into_capture = _pairs(graph, heard, _newest(graph, capture), channels)
    player = _newest(graph, playback)
    from_playback = [pair for source in graph.voice_nodes() for pair in _pairs(graph, player, source, (0,))]
    desired = into_capture[:1] + from_playback + into_capture[1:]  # one at a time, and each takes its time
    recorded = {port.id for node in graph.named(capture) for port in graph.ports_of(node, "in")}
    sources = graph.voice_ids()
    streams = {node.id for name in (capture, playback) for node in graph.named(name)}
    existing = {
        (link.output_port_id, link.input_port_id)
        for link in graph.links
        if streams & {link.output_node_id, link.input_node_id} or link.input_node_id in sources
    }
    return Wiring(
        create=tuple(pair for pair in desired if pair not in existing),
        destroy=tuple(sorted(existing.difference(desired), key=lambda pair: (pair[1] in recorded, pair))),
    )


def intrusion_in(graph: Graph, capture: str) -> Fault | None:
    """A link past the converter: into RWC Voice, or from the stream named ``capture``; None if there is none."""
    recorders = {node.id for node in graph.named(capture)}
    into = [(link.output_node_id, "into RWC Voice") for link in graph.foreign_feeds()]
    out = [(link.input_node_id, "to what we record") for link in graph.links if link.output_node_id in recorders]
    if not (found := into + out):
        return None
    id, what = found[0]
    name = graph.nodes[id].label if id in graph.nodes else "something"
    return Fault(
        f"somebody linked {name} {what}, past the converter: the link was removed",
        "Remove that link from your patchbay and from what it has saved.",
    )


def channel_fault(graph: Graph, microphone: Node | None, asked: str) -> Fault | None:
    """The reason why the channel that was asked for gives no sound; None if it can."""
    first = channels_of(asked)[0]
    if microphone is None or first == 0 or not (count := len(graph.ports_of(microphone, "out"))) or first < count:
        return None
    have = "one channel" if count == 1 else f"{count} channels"
    reason = f"the microphone {microphone.label} has {have}, and no channel {asked}"
    return Fault(reason, "Choose another: `rwc-pw set --input-channel auto`.")


def fault_in(graph: Graph, microphone: Node | None, wanted: str, has_streams: bool) -> Fault | None:
    """The reason why no sound can flow from ``microphone``, where ``wanted`` was to be chosen; None if it can."""
    if not graph.voice_nodes():
        return Fault("PipeWire has no RWC Voice yet")
    if not has_streams:
        return Fault("our streams are not in PipeWire's graph yet")
    return session_manager_fault(graph) or microphone_fault(graph, microphone, wanted)


def session_manager_fault(graph: Graph) -> Fault | None:
    """The reason why no app is given RWC Voice; None if a session manager links apps."""
    if graph.has_session_manager:
        return None
    return Fault(
        "no session manager runs, so that no app is linked to RWC Voice",
        "Start it: `systemctl --user start wireplumber`.",
    )


def microphone_fault(graph: Graph, microphone: Node | None, wanted: str) -> Fault | None:
    """The reason why the microphone gives no sound, where ``wanted`` was to be chosen; None if it can."""
    if microphone and microphone.state == "error":
        reason = f"the microphone {microphone.label} cannot be opened"
        return Fault(reason, "End other programs that use it, or choose another: `rwc-pw devices` lists them.")
    if microphone and microphone.muted and is_microphone(microphone):  # muted speakers have a monitor all the same
        return Fault(f"the microphone {microphone.label} is muted", "Unmute it in the desktop's mixer.")
    if microphone:
        return None
    if wanted:
        return Fault(f"the microphone {wanted} is not connected", not_there(graph, wanted))
    return Fault("there is no microphone", "Connect one.")


def _pairs(graph: Graph, output: Node | None, input: Node | None, channels: Sequence[int]) -> list[tuple[int, int]]:
    """The ports of these channels, from ``output`` to ``input``, where both have them."""
    if output is None or input is None:
        return []
    ends = list(zip(graph.ports_of(output, "out"), graph.ports_of(input, "in"), strict=False))
    return [(ends[channel][0].id, ends[channel][1].id) for channel in channels if channel < len(ends)]


def _newest(graph: Graph, name: str) -> Node | None:
    nodes = graph.named(name)
    return nodes[-1] if nodes else None
