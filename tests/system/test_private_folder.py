import fcntl
from pathlib import Path

import pytest

from rwc_pw.errors import RwcPwError
from rwc_pw.system.private_folder import PrivateFolder


def test_one_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    opened = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(RwcPwError, match="No locks available"):
        PrivateFolder(tmp_path, "of-a-test-")
    assert not list(tmp_path.iterdir())
    assert set(Path("/proc/self/fd").iterdir()) == opened
