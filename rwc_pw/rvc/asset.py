"""A file that RVC voices need besides their own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Asset:
    """A file that ultimate-rvc looks for."""

    name: str
    path: str
    """Relative to the models folder."""
    resource: str
    """Relative to the hub's resources; empty if it comes in a package."""
    sha256: str | None
