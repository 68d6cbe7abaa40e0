"""Nobody pays for a library that reads what they have not got."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPTIONAL = ("pyarrow", "polars", "pandas", "soundfile", "soxr", "PIL", "zstandard", "pooch", "requests", "tokenizers")


def test_the_data_room_imports_no_optional_library():
    program = f"import sys, loopcell.data; print([name for name in {OPTIONAL} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def required() -> list[tuple[str, str]]:
    """The module and the extra of every call of `require` in src."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [call.args for call in calls if isinstance(call.func, ast.Name) and call.func.id == "require"]
    return [(module.value, extra.value) for module, extra, _ in found]


def test_every_extra_brings_what_the_errors_say_it_brings():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distributions = importlib.metadata.packages_distributions()
    calls = required()
    assert len(calls) > 10
    for module, extra in calls:
        asked = {line.partition(">")[0] for line in project["optional-dependencies"][extra]}
        brought = {name.lower() for name in distributions[module.partition(".")[0]]}
        if module.startswith("requests"):  # pooch brings it
            brought = {"pooch"}
        assert brought <= asked, f"{module} is not in the extra {extra}"
