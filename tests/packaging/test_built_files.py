"""The wheel and the sdist: what is in them, and that an environment which has nothing else of ours can use them.

They are built by the installed hatchling without isolation, and installed without an index, so nothing is downloaded.
What loopcell needs is lent from the environment of the tests; loopcell itself is not, for its editable install is a
.pth file, and such a file in a folder that is lent is not read.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMOKE = Path(__file__).parent / "smoke.py"
NOT_SHIPPED = {".pyc"}


def run(*words, cwd):
    """Run a program that does not see the tree's own packages."""
    lent = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    place = {**lent, "LOOPCELL_CACHE": str(cwd / "cache"), "LOOPCELL_BACKEND": "auto"}
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd, env=place
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(tree, target, folder):
    """Build from a tree as `pip` and `build` do, with what is installed; the one file that came."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=tree)
    (built,) = folder.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[target])
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder that comes out of the sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(ROOT, "sdist", folder)) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = (path for path in folder.iterdir() if path.is_dir())
    return tree


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_package_and_nothing_else(wheel):
    package = ROOT / "src"
    own = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    own = {name for name in own if Path(name).suffix not in NOT_SHIPPED}
    assert {name for name in contents(wheel) if ".dist-info/" not in name} == own
    assert "loopcell/py.typed" in own


def test_the_wheel_says_what_it_is(wheel):
    (text,) = (data for name, data in contents(wheel).items() if name.endswith("METADATA"))
    facts = Parser().parsestr(text.decode())
    assert facts["Name"] == "loopcell"
    assert facts["License-Expression"] == "Apache-2.0"
    assert {"train", "data", "audio", "images", "compiler"} <= set(facts.get_all("Provides-Extra"))
    assert {line.partition(",")[0] for line in facts.get_all("Project-URL")} >= {"Repository", "Documentation"}
    assert facts["Description-Content-Type"] == "text/markdown"


def test_the_sdist_builds_the_same_wheel(wheel, unpacked, tmp_path):
    assert contents(build(unpacked, "wheel", tmp_path)) == contents(wheel)


def test_the_sdist_has_what_working_on_it_takes(unpacked):
    files = "README.md", "LICENSE", "CITATION.cff", "Makefile", "constraints.txt", "pyproject.toml"
    folders = "src/loopcell", "tests/laws", "docs/concepts", "examples/recipes", "benchmarks/suites", "scripts"
    assert [name for name in files if not (unpacked / name).is_file()] == []
    assert [name for name in folders if not (unpacked / name).is_dir()] == []
    assert not list(unpacked.rglob("__pycache__"))


def test_the_installed_wheel_works_outside_the_tree(wheel, tmp_path):
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    pip = sys.executable, "-m", "pip", "--python", scripts / "python"
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (packages,) = (path for path in home.rglob("site-packages"))
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    assert run(scripts / "python", "-I", SMOKE, packages, cwd=tmp_path) == "the installed package works\n"
    assert "gru" in run(scripts / "loopcell", "cells", cwd=tmp_path)
