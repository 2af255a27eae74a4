"""Packages of the extra that are missing or broken are named, with what mends them; never by a library's path."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rwc_pw import doctor
from rwc_pw.errors import UnavailableError
from rwc_pw.system import extra

LIBRARY = "/usr/lib/somewhere/libtorchaudio.so"
FAULTS = {
    "a library that does not load": f"raise OSError('Could not load this library: {LIBRARY}')",
    "a module that is gone": "import torchaudio.gone",
    "a crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
}
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Stands in for the whole extra, here and in child processes: packages that do nothing but what is given."""

    def install(**code: str) -> None:
        for module in extra.MODULES:
            folder = tmp_path.joinpath(*module.split("."))
            folder.mkdir(parents=True, exist_ok=True)
            for package in (folder, *folder.parents):
                if package == tmp_path:
                    break
                (package / "__init__.py").touch()
        for package, text in code.items():
            (tmp_path / package / "__init__.py").write_text(text)

    before = dict(sys.modules)
    for module in extra.MODULES:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{module.partition('.')[0]}.")]:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield install
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def test_a_whole_extra_is_not_complained_of(install: Install) -> None:
    install()
    extra.check_extra()
    assert extra.load_module("faiss").__name__ == "faiss"


@pytest.mark.parametrize("code", FAULTS.values(), ids=FAULTS)
def test_a_broken_package_is_named_with_what_mends_it(install: Install, code: str) -> None:
    install(torchaudio=code)
    with pytest.raises(UnavailableError, match="is broken: torchaudio cannot be imported") as error:
        extra.check_extra()
    assert "./install.sh --rvc" in error.value.remedy
    assert LIBRARY not in str(error.value)


def test_what_a_package_prints_is_not_taken_for_a_name(install: Install) -> None:
    install(faiss="print('hello')", soxr="raise ImportError")
    with pytest.raises(UnavailableError, match="soxr"):
        extra.check_extra()


def test_a_broken_package_is_named_where_it_is_used(install: Install) -> None:
    install(openvino=FAULTS["a library that does not load"])
    with pytest.raises(UnavailableError, match="openvino cannot be imported"):
        extra.load_module("openvino")


def test_a_missing_package_is_named(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.setattr(extra, "MODULES", ("nowhere_to_be_found",))
    with pytest.raises(UnavailableError, match="nowhere-to-be-found, which is not installed"):
        extra.load_module("nowhere_to_be_found")


def test_the_doctor_imports_what_is_installed(install: Install, tmp_path: Path) -> None:
    install(torchaudio=FAULTS["a library that does not load"])
    importlib.invalidate_caches()
    (check,) = doctor._check_rvc(tmp_path)
    assert (check.verdict, check.finding) == (
        "fail",
        "The installation of RVC voices is broken: torchaudio cannot be imported.",
    )
    assert "./install.sh --rvc" in check.remedy
