"""The PipeWire drop-in that creates the microphone, and the same microphone as a ``pw-cli`` argument."""

import re
from importlib import resources

_COMMENT = re.compile(r"#.*")
_NODE = re.compile(r"args\s*=\s*\{([^{}]*)\}")


def dropin_text() -> str:
    """The shipped drop-in, including its comments."""
    return (resources.files(__package__) / "50-rwc-voice.conf").read_text(encoding="utf-8")


def source_properties() -> str:
    """The one-line argument of ``pw-cli create-node adapter`` that creates the drop-in's node at once.

    ``object.linger`` keeps the node when pw-cli ends; it lasts as long as that PipeWire, then the drop-in takes over.
    """
    [properties] = _NODE.findall(_COMMENT.sub("", dropin_text()))
    return f"{{ {' '.join(properties.split())} object.linger = true }}"
