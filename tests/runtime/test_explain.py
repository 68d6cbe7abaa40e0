"""Explain: every stage of a cell, printed."""

from __future__ import annotations

import pytest

import loopcell
from loopcell import cells
from loopcell.errors import InputError


def stages(text: str) -> dict[str, str]:
    parts = [part.partition("\n") for part in text.split("\n== ")[1:]]
    return {title.partition(":")[0]: body for title, _, body in parts}


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_explains_itself(name):
    text = loopcell.explain(cells.get(name))
    assert text.startswith(f"{name} ({cells.get(name).fingerprint}): {cells.get(name).summary}")
    assert list(stages(text)) == ["equations", "graph", "hoist", "schedule", "derive", "emit"]
    assert text.count("def ") == 3


def test_the_code_shown_is_the_code_that_runs():
    shown = loopcell.explain(cells.get("gru"))
    assert "    h = (1.0 - z) * n + z * h_prev\n    return (h, h)" in shown


def test_evaluation_shows_means_for_draws():
    zoned = cells.zoneout(cells.get("rnn"), 0.25)
    assert "zoneout_h * h" in loopcell.explain(zoned)
    assert "h = 0.25 * h + 0.75 * h_new" in loopcell.explain(zoned, training=False)


def test_only_cells_are_explained():
    with pytest.raises(InputError, match=r"explain takes a cell, made by @cell or from loopcell.cells; got str"):
        loopcell.explain("lstm")
