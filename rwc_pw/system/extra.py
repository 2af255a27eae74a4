"""The packages of the extra rwc-pw[rvc]: where they are, and whether they can be imported."""

import importlib
import logging
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rwc_pw.errors import UnavailableError, missing_extra
from rwc_pw.system.child import end_with_standard_input

MODULES = (  # what RVC voices import; torch before ultimate-rvc, whose lazy modules would break its import
    "torch",
    "torchaudio",
    "transformers",
    "torchfcpe",
    "safetensors.torch",
    "faiss",
    "soxr",
    "openvino",
    "swift_f0",
    "pydub",
    "ultimate_rvc.core.generate.common",
)
URVC_FOLDERS = ("AUDIO", "TEMP", "CONFIG", "LOGS", "MODELS", "VOICE_MODELS")  # it writes there where it is imported

log = logging.getLogger(__name__)


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it; ``UnavailableError`` without the extra."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise missing_extra(package.replace("_", "-"))
    return Path(spec.origin).parent


def load_module(name: str) -> Any:
    """The imported module; ``UnavailableError`` if it is missing, or installed but broken."""
    if name == "openvino":  # otherwise each import and each conversion would be reported to Google Analytics, unasked
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it then uses its own stub
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        raise _not_importable(name) from error


def check_extra() -> None:
    """Import all that RVC voices import, in a child process, which takes seconds.

    ``UnavailableError`` if a package is missing, or installed but broken.
    """
    with tempfile.TemporaryDirectory(prefix="rwc-pw-") as scratch:
        folders = {f"URVC_{name}_DIR": scratch for name in URVC_FOLDERS}
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "rwc_pw.system.extra"],
            stdin=subprocess.PIPE,  # it ends when this closes: with us, however we end
            stdout=subprocess.PIPE,
            stderr=None if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
            text=True,
            cwd=scratch,
            env={**os.environ, **folders, "URVC_NO_LOGGING": "1", "HF_HUB_OFFLINE": "1"},
        ) as process:
            begun = process.stdout.read().split() if process.stdout else []
            code = process.wait()
    if code:
        raise _not_importable(begun[-1] if begun else "rwc_pw")


def _not_importable(module: str) -> UnavailableError:
    package = module.partition(".")[0]
    name = package.replace("_", "-")
    if find_spec(package) is None:
        return missing_extra(name)
    return UnavailableError(
        f"The installation of RVC voices is broken: {name} cannot be imported.",
        'Run `./install.sh --rvc`, or `pip install --force-reinstall "rwc-pw[rvc]"`.',
    )


def main() -> None:
    """Import each module; write its name first, so that the last name is that of the one that fails or crashes."""
    end_with_standard_input()
    names = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    for name in MODULES:
        names.write(f"{name}\n")
        names.flush()
        load_module(name)


if __name__ == "__main__":
    main()
