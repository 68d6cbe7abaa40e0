"""Equations in print."""

from __future__ import annotations

import json
import operator
import re
from dataclasses import replace

import pytest

from loopcell import Cell, cell, cells, explain, mean, sized, tanh
from loopcell.equations import printing
from loopcell.equations.keys import Key
from loopcell.errors import FileFormatError


def test_text_of_the_lstm():
    assert cells.get("lstm").text() == (
        "i = sigmoid(W.i @ x + U.i @ h + b.i)\n"
        "f = sigmoid(W.f @ x + U.f @ h + b.f)\n"
        "g = tanh(W.g @ x + U.g @ h + b.g)\n"
        "o = sigmoid(W.o @ x + U.o @ h + b.o)\n"
        "c = f * c + i * g\n"
        "h = o * tanh(c)"
    )


def test_latex_tells_past_and_present_apart():
    assert cells.get("gru").latex() == (
        "\\begin{aligned}\n"
        "r_{t} &= \\sigma\\left(W_{r} x_{t} + U_{r} h_{t-1} + b_{r}\\right) \\\\\n"
        "z_{t} &= \\sigma\\left(W_{z} x_{t} + U_{z} h_{t-1} + b_{z}\\right) \\\\\n"
        "n_{t} &= \\tanh\\left(W_{n} x_{t} + b_{n} + r_{t} \\odot \\left(U_{n} h_{t-1} + d_{n}\\right)\\right) \\\\\n"
        "h_{t} &= \\left(1 - z_{t}\\right) \\odot n_{t} + z_{t} \\odot h_{t-1}\n"
        "\\end{aligned}"
    )


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        (lambda W, x, h: h - (h - W.a @ x), "h - (h - W.a @ x)"),
        (lambda W, x, h: (h - W.a @ x) - h, "h - W.a @ x - h"),
        (lambda W, x, h: h / (W.a @ x / h), "h / (W.a @ x / h)"),
        (lambda W, x, h: -(h + W.a @ x), "-(h + W.a @ x)"),
        (lambda W, x, h: W.b @ (h * 2), "W.b @ (h * 2)"),
        (lambda W, x, h: 0.5 * (h + 1), "0.5 * (h + 1)"),
        (lambda W, x, h: abs(h) * (1 - h) * (2 - h), "abs(h) * (1 - h) * (2 - h)"),
    ],
)
def test_parentheses_stand_where_they_matter(written, printed):
    @cell
    def one(x, h, *, W):
        return written(W, x, h)

    assert one.text() == f"h = {printed}"


WORDS = ("sigmoid", "tanh", "relu", "softplus", "exp", "log", "where")


def _size(one, name):
    size = one.graph.declared_sizes[Key("input", name)]
    return f'"{size}"' if size else 1


@pytest.mark.parametrize("name", cells.names())
def test_text_reads_back_as_the_same_cell(name):
    """What is printed is Python: read as a cell's body it gives the same equations."""
    printed = cells.get(name)
    if "size(" in printed.text():
        pytest.skip("means are printed as sum / size, which equations do not spell")
    spaces = sorted({parameter.partition(".")[0] for parameter in printed.graph.parameters})
    states = [f'{state}: "{printed.graph.size_of(Key("state", state))}"' for state in printed.states]
    returned = ", ".join(printed.states)
    if printed.graph.result("output") not in [printed.graph.result("state", state) for state in printed.states]:
        returned = f"h, {returned}"
    body = "\n    ".join(printed.text().splitlines())
    inputs = ", ".join(f"{name}: {_size(printed, name)}" for name in printed.inputs)
    source = (
        f"def again({inputs}, /, {', '.join(states)}, *, {', '.join(spaces)}):\n    {body}\n    return {returned}\n"
    )
    import loopcell

    namespace = dict(vars(loopcell)) | {"greater": operator.gt} | {f: getattr(loopcell, f) for f in WORDS}
    exec(source.replace("output =", "h ="), namespace)
    assert cell(namespace["again"]).fingerprint == printed.fingerprint


def test_latex_is_balanced():
    for name in cells.names():
        latex = cells.get(name).latex()
        assert latex.count("\\left") == latex.count("\\right")
        assert len(re.findall(r"(?<!\\)\{", latex)) == len(re.findall(r"(?<!\\)\}", latex))


def test_constants():
    @cell
    def fixed(x, h, *, W):
        return tanh(W.h @ x) * 0.1 + h * 3 - 2.0

    assert fixed.text() == "h = tanh(W.h @ x) * 0.1 + h * 3 - 2"


def doubled(count, op="add", contradiction=False):
    """A cell of a file in which each value is used twice by the next: as a tree, 2 to the power of `count` terms."""
    arity = {"where": 3, "matmul": 1, "tanh": 1}.get(op, 2)
    nodes = [
        {"op": "input", "name": "x"},
        {"op": "state", "name": "h"},
        {"op": "parameter", "name": "W.h"},
        {"op": "matmul", "args": [2, 0]},
        {"op": "add", "args": [3, 1]},
    ]
    nodes += [{"op": op, "args": [place] * arity} for place in range(4, 4 + count)]
    nodes += [{"op": "add", "args": [4 + count, 0]}] if contradiction else []
    last = len(nodes) - 1
    graph = {"name": "doubled", "nodes": nodes, "results": {"output": last, "state.h": last}}
    return json.dumps({"graph": graph | {"sizes": {"state.h": "hidden"}}, "doc": "", "initial": {}})


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "minimum", "maximum", "greater", "where", "tanh"])
def test_what_is_printed_is_linear_in_the_nodes(op):
    """Each of these would never end if a shared value were printed once for each of its users."""
    short, long = (Cell.from_json(doubled(count, op)) for count in (100, 400))
    for printed in (Cell.text, Cell.latex, explain, repr):
        assert len(printed(long)) < 8 * len(printed(short))
    with pytest.raises(FileFormatError) as caught:
        Cell.from_json(doubled(400, op, contradiction=True))
    assert "is [input]" in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_an_expression_in_a_sentence_keeps_its_short_operands():
    @cell
    def long(x, h, *, W, b):
        return tanh(W.h @ x + h + sum((getattr(b, f"part{n}") * h for n in range(40)), b.first)) * (h + b.last)

    factor = long.graph.nodes[long.graph.result("state", "h")].args[0]
    last = long.graph.result("state", "h")
    assert printing.brief(unnamed(long.graph), factor) == "tanh(W.h @ x + h + (... + b.part39 * h))"
    assert printing.brief(unnamed(long.graph), last) == "tanh(W.h @ x + h + (... + b.part39 * h)) * (h + b.last)"


def unnamed(graph):
    return replace(graph, nodes=tuple(replace(node, label="") for node in graph.nodes))


def test_another_name_of_a_length_does_not_hide_how_a_value_binds():
    @cell
    def same(x, h, *, W, b):
        return sized(W.a @ x + b.a, "hidden") * h - sized(h + b.b, "hidden")

    assert same.text() == "h = (W.a @ x + b.a) * h - (h + b.b)"
    assert r"\left(W_{a} x_{t} + b_{a}\right) \odot h_{t-1} - \left(h_{t-1} + b_{b}\right)" in same.latex()


def test_a_size_with_an_underscore_in_latex():
    @cell
    def normed(x, h: hidden_size, *, W):  # noqa: F821 - a size
        return tanh(W.h @ x) - mean(h) * h

    assert r"n_{\mathrm{hidden\_size}}" in normed.latex()
