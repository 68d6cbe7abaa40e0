"""How tests are found, and that no module is without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tests_of import read_house, which_tests

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "scripts" / "tests_of.py"
FILES = {
    "src/pack/__init__.py": "from pack.a import f\nfrom pack.table import TABLE",
    "src/pack/a.py": "from pack import inner\ndef f(): return inner.g()",
    "src/pack/inner.py": "def g(): return 1",
    "src/pack/alone.py": "",
    "src/pack/circle.py": "import pack.alone\nfrom pack import lines",
    "src/pack/lines.py": "from pack.circle import x",
    "src/pack/table/__init__.py": "from pack.table import rows\nfrom pack.table import other\nTABLE = [rows.f]",
    "src/pack/table/rows.py": "f = 1",
    "src/pack/table/other.py": "",
    "src/pack/verbs/__init__.py": "",
    "src/pack/verbs/__main__.py": "",
    "tests/test_a.py": "",
    "tests/other/test_public.py": "import pack\nassert pack.f() == 1\nfrom pack.table import TABLE",
    "tests/other/test_started.py": "run(['python', '-m', 'pack.verbs'])",
    "tests/other/helper.py": "import pack.alone",
}


@pytest.fixture
def house(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_house(tmp_path)


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("pack.a", {"test_a.py": "by its name", "test_public.py": "imports it"}),
        ("pack.inner", {"test_public.py": "through pack.a"}),
        ("pack.table.rows", {"test_public.py": "through pack.table"}),
        ("pack.table.other", {}),  # a package that only passes a name on does not use it
        ("pack.verbs.__main__", {"test_started.py": "imports it"}),
        ("pack.alone", {}),  # a helper is no test, and the circle of imports has an end
    ],
)
def test_a_module_is_found_by_name_by_import_and_through_its_users(house, module, found):
    assert {path.name: way for path, way in which_tests(module, house).items()} == found


def test_every_module_has_tests():
    ours = read_house()
    modules = [name for name, path in ours.modules.items() if path.stem != "__init__"]
    assert [name for name in modules if not which_tests(name, ours)] == []


def test_the_program_prints_them():
    done = subprocess.run(
        [sys.executable, PROGRAM, "src/loopcell/layers/state.py"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0
    assert "  tests/layers/test_state.py (by its name)" in done.stdout.splitlines()
    wrong = subprocess.run([sys.executable, PROGRAM, "src/none.py"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stdout.endswith("files under src/; not src/none.py\n")
