"""OpenVINO, which tells nobody that it is used."""

import sys
from typing import Any


def load_openvino() -> Any:
    """The package; each import and each conversion would else be reported to Google Analytics, without a question."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it then takes its own stand-in
    import openvino

    return openvino
