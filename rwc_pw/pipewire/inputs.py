"""Inputs that can be recorded, and their names for people: pure decisions, from one snapshot of the graph."""

import difflib
from collections.abc import Sequence

from rwc_pw.errors import UsageError
from rwc_pw.pipewire.graph import Graph, Node

MONITOR_SUFFIX = ".monitor"
"""Suffix by which PulseAudio clients name what a sink plays."""
MONITOR_OF = "Monitor of "
"""Prefix by which they describe it."""
MICROPHONE_CLASSES = "Audio/Source", "Audio/Source/Virtual", "Audio/Duplex"
"""Best first; a duplex node, such as a phone, can be recorded and played to."""


def is_microphone(node: Node) -> bool:
    """Return whether it may be recorded without being named: neither RWC Voice nor what speakers play."""
    return node.media_class in MICROPHONE_CLASSES and not node.is_ours


def choose_microphone(graph: Graph, wanted: str, preferred: Sequence[str]) -> Node | None:
    """The node to record from, or None if there is nothing that may be recorded.

    ``wanted`` is a source's name, ``SINK.monitor``, or the description that mixers show for either. If it is empty,
    the first of ``preferred`` that is a microphone is chosen (the default source, then the previous one), else the
    best one. RWC Voice is never chosen, and what the user's speakers play only if it is named.
    """
    if wanted:
        called = _called(graph, wanted)
        return called[next(iter(called))] if called else None
    for name in preferred:
        if node := next(filter(is_microphone, graph.named(name)), None):
            return node
    return max(filter(is_microphone, graph.nodes.values()), key=_preference, default=None)


def input_name(graph: Graph, wanted: str) -> str:
    """The name of the one input that is called ``wanted``, by its name or its description.

    ``UsageError``, with the name that was probably meant, if there is none or several.
    """
    called = list(_called(graph, wanted))
    if len(called) > 1:
        raise UsageError(f"{len(called)} microphones are called {wanted}.", f"Name one: {', '.join(called)}.")
    if called:
        return called[0]
    raise UsageError(f"There is no microphone {wanted}.", not_there(graph, wanted))


def not_there(graph: Graph, wanted: str) -> str:
    """The remedy for a missing input."""
    meant = _similar(graph, wanted)
    question = f"Did you mean {meant}? " if meant else ""
    return f"{question}Connect it, or choose another: `rwc-pw devices` lists them."


def _inputs(graph: Graph) -> dict[str, Node]:
    """All that can be recorded, by name; of two of one name, the older."""
    nodes = sorted(graph.nodes.values(), key=lambda node: node.id)
    microphones = [(node.name, node) for node in nodes if is_microphone(node)]
    monitors = [(f"{node.name}{MONITOR_SUFFIX}", node) for node in nodes if node.media_class == "Audio/Sink"]
    return dict(reversed(microphones + monitors))


def _called(graph: Graph, wanted: str) -> dict[str, Node]:
    """The inputs of that name, else those of that description, the best first."""
    inputs = _inputs(graph)
    if wanted in inputs:
        return {wanted: inputs[wanted]}
    called = [(name, node) for name, node in inputs.items() if _plain(_description(name, node)) == _plain(wanted)]
    return dict(sorted(called, key=lambda item: _preference(item[1]), reverse=True))


def _similar(graph: Graph, wanted: str) -> str:
    """The name of the input that was probably meant; empty if none is like ``wanted``."""
    inputs = _inputs(graph)
    if "monitor" not in _plain(wanted):  # what the speakers play is not put forward
        inputs = {name: node for name, node in inputs.items() if is_microphone(node)}
    spellings = {_plain(_description(name, node)): name for name, node in inputs.items()}
    spellings |= {_plain(name): name for name in inputs}
    within = {name for spelling, name in spellings.items() if _plain(wanted) in spelling}
    close = difflib.get_close_matches(_plain(wanted), spellings, n=1)
    return within.pop() if len(within) == 1 else spellings[close[0]] if close else ""


def _description(name: str, node: Node) -> str:
    """Name that mixers show."""
    return f"{MONITOR_OF if name.endswith(MONITOR_SUFFIX) else ''}{node.label}"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _preference(node: Node) -> tuple[int, int, int]:
    kind = MICROPHONE_CLASSES.index(node.media_class) if node.media_class in MICROPHONE_CLASSES else 0
    priority = node.props.get("priority.session", 0)
    return -kind, priority if isinstance(priority, int) else 0, -node.id  # PipeWire also reads a word as 0
