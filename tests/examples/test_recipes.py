"""Every recipe runs at its small size, on the public data."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "recipe")


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_at_its_small_size(name, data_dir, tmp_path):
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--small"]
    place = {**os.environ, "LOOPCELL_DATA": str(data_dir), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=place)
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    figures = json.loads(last)["figures"]
    assert figures
    assert all(math.isfinite(value) for value in figures.values())
    assert any(line.startswith("model ") for line in table)
    assert not list(tmp_path.iterdir())


def test_the_documentation_shows_what_was_written():
    shown = (FOLDER.parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(FOLDER / "recipe.py")], capture_output=True, text=True, check=True, cwd=FOLDER
    )
    assert done.stdout in shown


def test_what_is_written_says_where_it_comes_from():
    for path in (FOLDER.parents[1] / "benchmarks" / "results" / "recipes").glob("*.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["command"] == f"python examples/recipes/{path.stem}.py"
        assert path.stem in RECIPES
        assert {"day", "machine", "seconds", "figures", "table", "settings"} <= found.keys()
        if found["known"]:
            assert found["known"]["figure"]
            assert found["known"]["source"]


def known(name):
    """The published figure and its source as the recipe's text has them, without running it; None where it has none."""
    for node in ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KNOWN":
            figure, source = (ast.literal_eval(argument) for argument in node.value.args)
            return {"figure": figure, "source": source}
    return None


@pytest.mark.parametrize("name", RECIPES)
def test_a_result_names_the_published_figure_of_its_recipe(name):
    result = FOLDER.parents[1] / "benchmarks" / "results" / "recipes" / f"{name}.json"
    assert json.loads(result.read_text(encoding="utf-8"))["known"] == known(name)


@pytest.mark.parametrize("name", [name for name in RECIPES if known(name)])
def test_a_published_figure_has_a_source_that_can_be_opened(name):
    source = known(name)["source"]
    assert re.search(r"arXiv \d{4}\.\d{5}|github\.com/\S+/\S+|UCI Machine Learning Repository", source)
    assert "memory" not in source
