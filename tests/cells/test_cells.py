"""The registry and the manners of cell files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import loopcell
from loopcell import cells
from loopcell.errors import UsageError

FOLDER = Path(loopcell.__file__).parent / "cells"
# The paper of each cell: its first author, the year that is cited, and the address at arXiv where there is one.
SOURCES = {
    "rnn": ("Elman", 1990, None),
    "rnn_relu": ("Le", 2015, "1504.00941"),
    "lstm": ("Hochreiter", 1997, None),
    "lstm_peephole": ("Gers", 2002, None),
    "lstm_coupled": ("Greff", 2017, "1503.04069"),
    "lstm_projected": ("Sak", 2014, "1402.1128"),
    "lstm_layer_norm": ("Ba", 2016, "1607.06450"),
    "gru": ("Cho", 2014, "1406.1078"),
    "gru_keeps_before": ("Cho", 2014, "1406.1078"),
    "gru_lets_before": ("Chung", 2014, "1412.3555"),
    "gru_lets_after": ("Chung", 2014, "1412.3555"),
    "gru_layer_norm": ("Ba", 2016, "1607.06450"),
    "mgu": ("Zhou", 2016, "1603.09420"),
    "light_gru": ("Ravanelli", 2018, "1803.10225"),
    "indrnn": ("Li", 2018, "1803.04831"),
    "min_gru": ("Feng", 2024, "2410.01201"),
    "min_lstm": ("Feng", 2024, "2410.01201"),
    "sru": ("Lei", 2018, "1709.02755"),
    "ugrnn": ("Collins", 2016, "1611.09913"),
    "gru_decay": ("Che", 2018, "1606.01865"),
    "gru_d": ("Che", 2018, "1606.01865"),
    "lstm_time_aware": ("Baytas", 2017, None),
}
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


def test_every_cell_has_its_paper_here():
    lacks = sorted(set(cells.names()) - SOURCES.keys())
    assert not lacks, f"SOURCES, above, has no author, year and arXiv number of {', '.join(lacks)}"
    assert SOURCES.keys() == set(cells.names())


@pytest.mark.parametrize("name", cells.names())
def test_a_cell_names_its_source(name):
    author, year, address = SOURCES[name]
    assert cells.get(name).summary.endswith(".")
    # The first citation of the docstring: "Author, Author: Title, 1997", which may go on in the next line.
    doc = " ".join(cells.get(name).doc.split())
    date = r", ((?:19|20)\d\d)\b(?: \(arXiv (\d{4}\.\d{4,5})\))?"
    cited = re.search(rf"\b{author}\b(?: et al\.|, [A-Z]|:).*?{date}", doc)
    assert cited, f"the docstring cites {author}: Title, {year}"
    assert (int(cited[1]), cited[2]) == (year, address)
    assert address is None or 2000 + int(address[:2]) <= year  # a paper is not older than its preprint


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
