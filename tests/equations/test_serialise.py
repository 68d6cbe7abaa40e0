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


PAYLOAD = 'state.h=open("PWNED","w"), *, q'
NAMES = [
    "print(__name__).__class__",
    "h; import os",
    "a b",
    "",
    "class",
    "x" * 101,
    "h\n",
    "a.b",
    7,
    None,
    "__import__('os')",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["label", "state", "result", "size", "parameter", "namespace"])
def test_no_name_of_a_file_can_be_more_than_a_name(place, name):
    def change(data, graph):
        nodes = graph["nodes"]
        if place == "label":
            nodes[9]["label"] = name or "a b"
        elif place == "state":
            nodes[1]["name"] = name
        elif place == "result":
            graph["results"][f"state.{name}"] = graph["results"].pop("state.h")
            graph["sizes"][f"state.{name}"] = graph["sizes"].pop("state.h")
            nodes[1]["name"] = name
        elif place == "size":
            graph["sizes"]["state.h"] = name
        elif place == "parameter":
            nodes[2]["name"] = f"W.{name}" if name is not None else None
        else:
            nodes[2]["name"] = f"{name}.r" if name is not None else None

    with pytest.raises(FileFormatError):
        Cell.from_json(damaged(change))


def test_code_in_a_key_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def change(data, graph):
        graph["results"][PAYLOAD] = graph["results"]["state.h"]
        graph["sizes"][PAYLOAD] = "hidden"

    with pytest.raises(FileFormatError):
        Cell.from_json(damaged(change))
    assert not list(tmp_path.iterdir())


def test_a_title_is_free_text_and_no_code_is_made_of_it():
    import torch

    from loopcell import Recurrent

    data = json.loads(cells.get("gru").to_json())
    data["graph"]["name"] = '2nd"): import os #²'
    named = Cell.from_json(json.dumps(data))
    assert named.name == '2nd"): import os #²'
    assert Recurrent(named, 2, 3)(torch.zeros(1, 1, 2))[0].shape == (1, 1, 3)


def test_deep_equations_are_read_printed_and_run():
    import torch

    from loopcell import Recurrent, cell

    @cell
    def deep(x, h, *, W):
        value = W.h @ x + h
        for _ in range(600):
            value = -value
        return value

    again = Cell.from_json(deep.to_json())
    assert again.text() == deep.text()
    x = torch.randn(2, 1, 3)
    net = Recurrent(again, 3, 4)
    assert torch.allclose(net(x)[1].h, x.sum(0) @ net.l0.W.h.T, atol=1e-6)


def test_equal_nodes_of_a_file_are_one_value():
    nodes = [
        {"op": "input", "name": "x"},
        {"op": "state", "name": "h"},
        {"op": "parameter", "name": "W.h"},
        {"op": "matmul", "args": [2, 0]},
        {"op": "state", "name": "h"},
        {"op": "tanh", "args": [3]},
        {"op": "add", "args": [5, 4]},
        {"op": "mul", "args": [6, 1]},
    ]
    graph = {"name": "twice", "nodes": nodes, "results": {"output": 6, "state.h": 7}, "sizes": {"state.h": "hidden"}}
    read = Cell.from_json(json.dumps({"graph": graph, "doc": "", "initial": {}}))
    assert read.text() == "s1 = tanh(W.h @ x) + h\noutput = tanh(W.h @ x) + h\nh = s1 * h"


def test_a_size_that_no_value_has_is_refused():
    """Else its number is asked for at the first call, and nobody knows it."""
    nodes = [
        {"op": "input", "name": "x"},
        {"op": "state", "name": "h"},
        {"op": "parameter", "name": "W.h"},
        {"op": "matmul", "args": [2, 0]},
        {"op": "size", "name": "rank"},
        {"op": "mul", "args": [3, 4]},
        {"op": "add", "args": [5, 1]},
    ]
    graph = {"name": "sized", "nodes": nodes, "results": {"output": 6, "state.h": 6}, "sizes": {"state.h": "hidden"}}
    text = json.dumps({"graph": graph, "doc": "", "initial": {}})
    with pytest.raises(FileFormatError, match=r"size\(rank\) is used, and no value has that length"):
        Cell.from_json(text)
    for known in ("hidden", "input"):
        assert f"size({known})" in Cell.from_json(text.replace("rank", known)).text()


def everything_that_cell_takes():
    from loopcell import bernoulli, cell, sized, tanh

    def korean(x, h, *, 가중치, U):  # noqa: PLC2401
        게이트 = tanh(가중치.입력 @ x + U.h @ h)  # noqa: PLC2401
        return 게이트 * h

    def drawn(x, h, *, W, P, Q):
        noise = bernoulli(h, 0.5, name="잡음")
        return tanh(W.h @ x + P.h @ sized(Q.h @ h, "rank")) * noise

    yield cell(korean)
    yield cell(drawn)
    yield cell(name="my-rnn (v2)")(korean)
    yield cell(name="lambda")(lambda x, h, *, W: tanh(W.h @ x) + h)
    yield cell(lambda x, h, *, W: tanh(W.h @ x) + h)


@pytest.mark.parametrize("made", list(everything_that_cell_takes()), ids=lambda made: made.name)
def test_what_cell_takes_a_file_gives_back(made):
    import torch

    from loopcell import Recurrent

    again = Cell.from_json(made.to_json())
    assert again.fingerprint == made.fingerprint
    sizes = {"rank": 2} if "rank" in made.sizes else None
    assert Recurrent(again, 3, 4, sizes=sizes)(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)
