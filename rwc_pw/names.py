"""The names by which the desktop, the session bus and PipeWire know rwc-pw."""

APPLICATION_ID = "io.github.rwcpw.Voice"
BUS_NAME = INTERFACE = APPLICATION_ID
OBJECT_PATH = "/io/github/rwcpw/Voice"
ERROR_NAME = f"{BUS_NAME}.Error"

SOURCE_NODE = "rwc_voice"
"""The node name of the microphone "RWC Voice", as the drop-in declares it."""
LINK_GROUP = "rwc-pw"
"""``node.group`` and ``node.link-group`` of that node and of our streams, as the drop-in declares it."""
