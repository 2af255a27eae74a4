"""OpenVINO without its telemetry."""

import sys
from typing import Any


def load_openvino() -> Any:
    """Import the package; otherwise each import and each conversion would be reported to Google Analytics, unasked."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # OpenVINO then uses its own stub
    import openvino

    return openvino
