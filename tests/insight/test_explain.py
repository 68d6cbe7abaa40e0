"""Explain: every stage of a cell, printed."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.errors import InputError


def stages(text: str) -> list[tuple[str, str]]:
    """The stages in order: what stands before the colon of a title, and what stands below it."""
    parts = [part.partition("\n") for part in text.split("\n== ")[1:]]
    return [(title.partition(":")[0], body) for title, _, body in parts]


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_explains_itself(name):
    cell = cells.get(name)
    text = loopcell.explain(cell)
    assert text.startswith(f"{name} ({cell.fingerprint}): {cell.summary}")
    names, bodies = zip(*stages(text), strict=True)
    assert names == ("equations", "graph", "hoist", "schedule", "derive", "emit", "emit")
    equations, graph, hoist, schedule, derive, forward, reverse = bodies
    assert equations.strip() == cell.text()
    for parameter in cell.graph.parameters:
        assert re.search(rf"parameter {re.escape(parameter)} +\[", graph)
        assert parameter in hoist
    assert "loop:" in schedule
    for state in cell.states:
        assert f"d_{state}_prev = " in derive
    assert [function.name for function in ast.parse(forward).body] == [f"{name}_prologue", f"{name}_step"]
    assert [function.name for function in ast.parse(reverse).body] == ["reverse_step"]


def test_the_code_shown_computes_an_lstm():
    """What is printed, run as it stands, against torch's own cell."""
    (shown,) = (body for name, body in stages(loopcell.explain(cells.get("lstm"))) if "def lstm_step" in body)
    code: dict[str, Any] = {"linear": torch.nn.functional.linear, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    exec(shown, code)
    torch.manual_seed(0)
    theirs = torch.nn.LSTMCell(3, 4)
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    pre_activations = code["lstm_prologue"](x, theirs.weight_ih, theirs.bias_ih + theirs.bias_hh)
    output, h_new, c_new = code["lstm_step"](*pre_activations, h, c, theirs.weight_hh)
    torch.testing.assert_close((h_new, c_new), theirs(x, (h, c)))
    torch.testing.assert_close(output, h_new)


def test_evaluation_shows_means_for_draws():
    zoned = cells.zoneout(cells.get("rnn"), 0.25)
    assert "zoneout_h * h" in loopcell.explain(zoned)
    assert "h = 0.25 * h + 0.75 * h_new" in loopcell.explain(zoned, training=False)


def test_only_cells_are_explained():
    with pytest.raises(InputError, match=r"a cell is made by @cell, or named as one of loopcell.cells; got a value of"):
        loopcell.explain(3)
