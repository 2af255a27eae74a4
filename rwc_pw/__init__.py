"""RWC Voice: a PipeWire microphone that speaks in another voice."""

__version__ = "0.1.0"
