"""What the package promises as a whole: its public names, and what it does not drag in."""

from __future__ import annotations
import __future__

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
import trove_classifiers
import yaml

import loopcell

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"bench", "dev", "docs", "test"}  # the extras that only who works on loopcell needs
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")

# In a process of its own: some packages are not to be found, as if they were not installed.
REFUSE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Refuse())
"""

# The room alone: its parent package is here in name only, so that loopcell/__init__.py does not run.
BARE_PARENT = """
import types
parent = types.ModuleType("loopcell")
parent.__path__ = [{path!r}]
sys.modules["loopcell"] = parent
"""

IMPORT_ALL = """
import importlib, pkgutil
room = importlib.import_module({room!r})
for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(found.name)
"""


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def is_incidental(name):
    value = getattr(loopcell, name)
    return name.startswith("_") or isinstance(value, types.ModuleType | type(__future__.annotations))


def test_public_names_are_all_there_and_all_listed():
    listed = set(loopcell.__all__)
    assert len(listed) == len(loopcell.__all__), "a name is listed twice"
    assert not [name for name in listed if not hasattr(loopcell, name)]
    assert {name for name in dir(loopcell) if not is_incidental(name)} <= listed


def test_public_names_are_documented():
    things = {name: getattr(loopcell, name) for name in loopcell.__all__ if not name.startswith("__")}
    assert not [name for name, thing in things.items() if callable(thing) and not thing.__doc__]


def test_the_version_is_the_installed_one():
    assert loopcell.__version__ == PROJECT["version"] == importlib.metadata.version("loopcell")


def test_import_leaves_the_extras_alone():
    extras = {"lightning_fabric", "tensorboard", "tokenizers", "matplotlib", "hypothesis"}
    use_all = "import loopcell\nfor name in loopcell.__all__:\n    getattr(loopcell, name)"
    run_python(REFUSE.format(names=extras) + use_all)


@pytest.mark.parametrize("room", ["equations", "passes"])
def test_equations_and_passes_need_no_tensor_library(room):
    source = str(ROOT / "src" / "loopcell")
    setting = REFUSE.format(names={"torch", "numpy"}) + BARE_PARENT.format(path=source)
    run_python(setting + IMPORT_ALL.format(room=f"loopcell.{room}"))


def test_constraints_are_exact_and_fit_every_platform():
    pins = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    assert pins
    # No local version (+cpu), no direct address, no marker: a name and a release.
    assert not [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", pin)]
    assert len({normal(pin.split("==")[0]) for pin in pins}) == len(pins)


def names_of(requirements):
    return {normal(re.match(r"[A-Za-z0-9._-]+", one)[0]) for one in requirements} - {"loopcell"}


def imported_distributions():
    """The distributions that src imports from anywhere, by their normal names."""
    known = importlib.metadata.packages_distributions()
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {module.split(".")[0] for module in modules} - {"loopcell"} - sys.stdlib_module_names
    return {normal(name) for top in tops for name in known.get(top, [top])}


def test_everything_that_the_project_asks_for_is_pinned():
    pinned = {normal(line.split("==")[0]) for line in CONSTRAINTS.splitlines() if "==" in line}
    for asked in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert names_of(asked) <= pinned


def test_what_src_imports_is_declared_and_what_is_declared_is_imported():
    core, imported = names_of(PROJECT["dependencies"]), imported_distributions()
    extras = {name: asked for name, asked in PROJECT["optional-dependencies"].items() if name not in OURS}
    assert imported <= core.union(*map(names_of, extras.values()))
    assert core <= imported


def test_the_citation_says_what_the_project_says():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()  # what the format requires
    assert citation["type"] == "software"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    assert citation["authors"] == PROJECT["authors"]
    assert PROJECT["description"].removeprefix("Recurrent") in citation["title"].replace("recurrent", "Recurrent")


def test_classifiers_exist_and_agree_with_the_rest():
    assert set(PROJECT["classifiers"]) <= trove_classifiers.classifiers
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert (ROOT / "src" / "loopcell" / "py.typed").is_file()
    assert not [one for one in PROJECT["classifiers"] if one.startswith("License ::")]  # `license` says it (PEP 639)
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Programming Language :: Python :: 3.11" in PROJECT["classifiers"]


def test_shapes_are_checked_in_every_module_that_writes_them():
    (flag,) = re.findall(r"--jaxtyping-packages=(\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    *named, checker = flag.split(",")
    assert checker == "beartype.beartype"
    source = ROOT / "src"
    having = {
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in source.rglob("*.py")
        if re.search(r"^\s*(from|import) jaxtyping\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(named) == having
