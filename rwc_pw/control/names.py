"""How the daemon is called on the session bus."""

BUS_NAME = "io.github.rwcpw.Voice"
OBJECT_PATH = "/io/github/rwcpw/Voice"
INTERFACE = BUS_NAME
ERROR_NAME = f"{BUS_NAME}.Error"
