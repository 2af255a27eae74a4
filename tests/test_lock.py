"""requirements.lock names whatever is installed, by version and hash, and no address to get it from."""

import os
import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
LOCK = Path(os.environ.get("RWC_PW_LOCK", CHECKOUT / "requirements.lock"))
REQUIREMENT = re.compile(r"([a-z0-9-]+)==([a-z0-9.+!]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
VENV = {"pip", "setuptools"}  # what Python itself puts into an environment


def canonical(name: str) -> str:
    """The name as indexes know it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, set[str]]:
    """The locked versions: a package has several where Pythons differ."""
    versions: dict[str, set[str]] = {}
    for line in LOCK.read_text().splitlines():
        if requirement := REQUIREMENT.fullmatch(line):
            versions.setdefault(requirement[1], set()).add(requirement[2])
        else:
            assert HASH.fullmatch(line), line
    return versions


def test_all_that_we_name_is_locked():
    pyproject = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    named = [*project["dependencies"], *project["optional-dependencies"]["rvc"], *groups["test"], *groups["install"]]
    assert {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in named} <= set(locked())


def test_what_is_installed_is_of_the_locked_version():
    installed = {canonical(found.name): found.version for found in distributions() if found.name}
    versions = locked()
    assert {"numpy", "pytest", "typer"} <= set(installed)
    wrong = {name: found for name, found in installed.items() if found not in versions.get(name, {found})}
    assert {name for name in wrong if name not in VENV} == set()
