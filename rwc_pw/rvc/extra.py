"""Finds the packages of the extra rwc-pw[rvc]."""

from importlib.util import find_spec
from pathlib import Path

from rwc_pw.errors import missing_extra


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it; ``UnavailableError`` without the extra."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise missing_extra(package.replace("_", "-"))
    return Path(spec.origin).parent
