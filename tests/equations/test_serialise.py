"""Cells as JSON: they come back the same, and hostile text is refused."""

from __future__ import annotations

import copy
import json

import pytest

from loopcell import Cell, cells
from loopcell.errors import FileFormatError

MODIFIED = [
    cells.zoneout(cells.get("lstm"), {"h": 0.1, "c": 0.5}),
    cells.recurrent_dropout(cells.get("gru"), 0.3, input_rate=0.1),
    cells.weight_dropout(cells.get("lstm"), 0.5),
    cells.residual(cells.get("gru")),
    cells.without(cells.get("lstm"), "b"),
]


@pytest.mark.parametrize("cell", [*cells.CELLS.values(), *MODIFIED], ids=lambda cell: cell.name)
def test_round_trip(cell):
    again = Cell.from_json(cell.to_json())
    assert again.fingerprint == cell.fingerprint
    assert again.text() == cell.text()
    assert again.graph.parameters == cell.graph.parameters
    assert again.initial == cell.initial
    assert [node.shape for node in again.graph.nodes] == [node.shape for node in cell.graph.nodes]


def test_fingerprints_differ():
    prints = {cell.fingerprint for cell in [*cells.CELLS.values(), *MODIFIED]}
    assert len(prints) == len(cells.CELLS) + len(MODIFIED)


def test_a_fingerprint_is_the_same_tomorrow():
    # Written into model files: if this changes, files of earlier versions no longer find their cell.
    assert cells.get("rnn").fingerprint == "2ff60f7758d1e5d7"


def damaged(change):
    data = json.loads(cells.get("gru").to_json())
    change(copy.copy(data), data["graph"])
    return json.dumps(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda data, graph: graph["nodes"][3].update(op="__import__"),
        lambda data, graph: graph["nodes"][3].update(op="saved"),
        lambda data, graph: graph["nodes"][3].update(args=[99, 0]),
        lambda data, graph: graph["nodes"][3].update(args=[-1, 0]),
        lambda data, graph: graph["nodes"][3].update(args=[2]),
        lambda data, graph: graph["nodes"][3].update(args=["2", "0"]),
        lambda data, graph: graph["nodes"][2].update(name="W.i; import os"),
        lambda data, graph: graph["nodes"][9].update(label="r = 1\nimport os"),
        lambda data, graph: graph["results"].update(output=10**9),
        lambda data, graph: graph["results"].pop("output"),
        lambda data, graph: graph["results"].update({"state.extra": 0}),
        lambda data, graph: graph["sizes"].update({"state.h": "a b"}),
        lambda data, graph: graph.update(nodes=graph["nodes"] * 1000),
        lambda data, graph: graph.update(nodes="abc"),
        lambda data, graph: graph.update(name=7),
        lambda data, graph: graph["nodes"][29].update(value=float("inf")),
        lambda data, graph: graph["nodes"][1].update(name="g"),
    ],
)
def test_hostile_graphs_are_refused(change):
    with pytest.raises(FileFormatError):
        Cell.from_json(damaged(change))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000, '{"graph": {}, "doc": "", "initial": {}}'])
def test_text_that_is_no_cell(text):
    with pytest.raises(FileFormatError, match=r"the file's (cell|equations)"):
        Cell.from_json(text)


def test_an_unknown_start_is_refused():
    data = json.loads(cells.get("gru").to_json()) | {"initial": {"W": "exec"}}
    with pytest.raises(FileFormatError, match="starts parameters in an unknown way"):
        Cell.from_json(json.dumps(data))
