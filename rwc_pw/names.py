"""The names by which the desktop, the session bus and PipeWire know rwc-pw."""

APPLICATION_ID = BUS_NAME = "io.github.rwcpw.Voice"
OBJECT_PATH = "/io/github/rwcpw/Voice"
INTERFACE = "io.github.rwcpw.Voice1"
ERROR_PREFIX = f"{BUS_NAME}.Error."
"""Beginning of an error's name on the bus; the name of its class follows."""

SOURCE_NODE = "rwc_voice"
"""The node name of the microphone "RWC Voice", as the drop-in declares it."""
LINK_GROUP = "rwc-pw"
"""``node.group`` and ``node.link-group`` of that node and of our streams, as the drop-in declares it."""
