import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_python_example_runs_as_it_stands():
    example = re.search(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert example, "README.md has no ```python block"
    exec(compile(example[1], str(README), "exec"), {"__name__": "__main__"})  # noqa: S102 - it is ours
