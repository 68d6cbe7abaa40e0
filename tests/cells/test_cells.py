"""The registry and the manners of cell files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import loopcell
from loopcell import cells
from loopcell.errors import UsageError

FOLDER = Path(loopcell.__file__).parent / "cells"
FILES = [file for file in FOLDER.glob("*.py") if file.name not in ("__init__.py", "registry.py", "modifiers.py")]


def test_lookup():
    assert cells.get("lstm").name == "lstm"
    assert "gru" in cells.names()
    with pytest.raises(UsageError, match=r"no cell is named 'lstn'; did you mean 'lstm'\?"):
        cells.get("lstn")
    with pytest.raises(UsageError, match="no cell is named 'transformer'; the cells are rnn, "):
        cells.get("transformer")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_cell_file_is_short(file):
    assert len(file.read_text().splitlines()) <= 75 if file.stem == "gru" else len(file.read_text().splitlines()) <= 60


@pytest.mark.parametrize("name", cells.names())
def test_a_cell_names_its_source(name):
    doc = cells.get(name).doc
    assert cells.get(name).summary.endswith(".")
    assert re.search(r"(19|20)\d\d", doc), "the docstring gives the paper's year"


def test_modifiers_refuse_what_makes_no_sense():
    lstm = cells.get("lstm")
    with pytest.raises(UsageError, match=r"a rate of dropping lies in \[0, 1\), not at 1.0"):
        cells.zoneout(lstm, 1.0)
    with pytest.raises(UsageError, match="cell `lstm` has no state 'z'; its states are h, c"):
        cells.zoneout(lstm, {"z": 0.1})
    with pytest.raises(UsageError, match="cell `lstm` has no namespace 'd'; it has U, W, b"):
        cells.without(lstm, "d")


def test_zoneout_names_both_values():
    text = cells.zoneout(cells.get("rnn"), 0.1).text()
    assert text == "h_new = tanh(W.h @ x + U.h @ h + b.h)\nh = zoneout_h * h + (1 - zoneout_h) * h_new"
