"""The microphone that a user means."""

from rwc_pw.errors import UsageError
from rwc_pw.pipewire.inputs import input_name
from rwc_pw.pipewire.source import read_graph


async def name_of_input(wanted: str, current: str) -> str:
    """The node name of the input that is called ``wanted``, by its name or by the description that mixers show.

    ``current``, that of the configuration, need not be connected now. ``UsageError`` if there is none of that name,
    ``UnavailableError`` without PipeWire.
    """
    if not wanted:
        return ""
    graph = await read_graph()
    try:
        return input_name(graph, wanted)
    except UsageError:
        if wanted == current:
            return wanted
        raise
