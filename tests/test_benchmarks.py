"""The benchmarks run where the program is installed, without what only tests need."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
BENCHMARKS_DIR = CHECKOUT / "tests/benchmarks"
EXTRA = {"rvc_project", "sola_stream"}  # they import torch
BENCHMARKS = [
    pytest.param(name, marks=pytest.mark.needs_rvc if name in EXTRA else ())
    for name in sorted(
        ".".join(path.relative_to(BENCHMARKS_DIR).with_suffix("").parts)
        for path in BENCHMARKS_DIR.rglob("*.py")
        if path.stem != "__init__"
    )
]
IMPORT = """
import importlib, sys
benchmark, *missing = sys.argv[1:]
sys.modules.update(dict.fromkeys(missing))  # importing them raises, as if they were not installed
importlib.import_module(benchmark)
"""


def only_tests_need() -> list[str]:
    """The modules of the tests' dependency group."""
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    return [re.match(r"[\w-]+", requirement)[0].replace("-", "_") for requirement in groups["test"]]


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_benchmark_needs_only_what_is_installed_with_the_program(benchmark):
    missing = only_tests_need() if benchmark in EXTRA else [*only_tests_need(), "scipy"]  # which the extra brings
    assert "pytest" in missing
    program = (sys.executable, "-c", IMPORT, f"tests.benchmarks.{benchmark}", *missing)
    done = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
