import select
from concurrent.futures import ThreadPoolExecutor

import pytest

from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire import feeder
from rwc_pw.pipewire.feeder import sole_feeder
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def _a_session_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def hold(patience_s: float) -> None:
    with sole_feeder(patience_s):
        pass


def test_one_at_a_time():
    with sole_feeder(), pytest.raises(RwcPwError, match="Another rwc-pw feeds"):
        hold(0.0)
    hold(0.0)


def test_who_waits_is_woken_by_the_release_and_asks_once(monkeypatch):
    waited = []
    wait_for_release = feeder._wait_for_release
    monkeypatch.setattr(
        feeder, "_wait_for_release", lambda *arguments: (waited.append(1), wait_for_release(*arguments))
    )
    with ThreadPoolExecutor(1) as pool:
        with sole_feeder() as lock:
            second = pool.submit(hold, PATIENCE_S)
            assert select.select([lock._socket], [], [], PATIENCE_S)[0]  # until it waits
        second.result(PATIENCE_S)
    assert waited == [1]


def test_who_has_it_knows_that_it_is_asked_for():
    with sole_feeder() as lock:
        assert not lock.was_asked_for()
        with pytest.raises(RwcPwError):
            hold(0.0)
        assert lock.was_asked_for()
        assert not lock.was_asked_for()
