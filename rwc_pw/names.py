"""The names by which the desktop, the session bus and PipeWire know rwc-pw."""

APPLICATION_ID = "io.github.rwcpw.Voice"
BUS_NAME = INTERFACE = APPLICATION_ID
OBJECT_PATH = "/io/github/rwcpw/Voice"
ERROR_NAME = f"{BUS_NAME}.Error"
