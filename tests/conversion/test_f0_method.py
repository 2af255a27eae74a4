from pathlib import Path

import pytest

from rwc_pw.errors import UsageError
from rwc_pw.streaming import ConversionConfig

VOICE = Path("/voices/Anna")


@pytest.mark.parametrize(
    ("settings", "detector"),
    [
        ({"backend": "batch"}, "rmvpe"),
        ({"backend": "batch", "use_rmvpe": False}, "fcpe"),
        ({"backend": "batch", "f0_method": "fcpe"}, "fcpe"),
        ({"backend": "streaming"}, "fcpe"),
        ({"backend": "streaming", "use_rmvpe": True}, "fcpe"),
        ({"backend": "streaming", "f0_method": "rmvpe"}, "rmvpe"),
    ],
)
def test_each_backend_has_a_detector_of_its_own_and_takes_what_is_chosen(settings, detector):
    assert ConversionConfig(model_path=VOICE, **settings).detector.name == detector


@pytest.mark.parametrize(("backend", "f0_method"), [("batch", "swiftf0"), ("streaming", "crepe")])
def test_what_a_backend_cannot_find_the_pitch_with_is_refused(backend, f0_method):
    with pytest.raises(UsageError, match=f"{backend} does not find the pitch with '{f0_method}'") as error:
        ConversionConfig(model_path=VOICE, backend=backend, f0_method=f0_method)
    assert "auto" in error.value.remedy
