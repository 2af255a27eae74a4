"""The device that a conversion is computed on."""

from rwc_pw.conversion.config import ConversionConfig
from rwc_pw.rvc import gpu


def device_of(config: ConversionConfig) -> str | None:
    """The GPU of the converter for an RVC voice, in torch's terms; None is the CPU. The first call may take seconds."""
    return gpu.device() if config.rvc_backend.uses_gpu and config.detector.asset else None
