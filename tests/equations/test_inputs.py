"""Cells with several inputs: which they are, how long each is, and what follows from their text."""

from __future__ import annotations

import json

import pytest

import loopcell
from loopcell import Cell, cell, cells, exp, relu, sigmoid, tanh, total
from loopcell.equations.keys import Key
from loopcell.errors import FileFormatError, ShapeError, TraceError


def sizes(one):
    """The size of each input: "" for one number a step."""
    return {name: one.graph.declared_sizes[Key("input", name)] for name in one.inputs}


def faded(x, dt, /, h, *, W, U, w, b):
    return tanh(W.h @ x + U.h @ (exp(-relu(w.t * dt + b.t)) * h) + b.h)


def masked(x, mask, /, h, *, W, U, V):
    return tanh(W.h @ (mask * x) + U.h @ h + V.h @ mask)


def another_vector(x, note, /, h, *, W, U, V):
    return tanh(W.h @ x + U.h @ h + V.h @ note)


def two_that_meet(x, mask, dt, /, h, *, W, U, w):
    return tanh(W.h @ (mask * x * exp(-w.t * dt)) + U.h @ h)


def both_lengths(x, dt, /, h, *, W, U):
    return tanh(W.h @ (exp(-dt) * x) + U.h @ (exp(-dt) * h))


def two_of_one_length(x, note, other, /, h, *, W, U, V):
    return tanh(W.h @ x + U.h @ h + V.h @ (note * other))


def summed(x, note, /, h, *, W, U):
    return tanh(W.h @ x + U.h @ h * total(note * note))


def a_gate(x, g: hidden, /, h, *, W, U):  # noqa: F821 - the name of a size
    return sigmoid(g) * tanh(W.h @ x + U.h @ h)


def a_number(x, s: 1, /, h, *, W, U):
    return tanh(s * (W.h @ (s * x)) + U.h @ h)


def both_ways(x, g, /, h, *, W, U, V):
    return tanh(W.h @ x + U.h @ h + V.h @ g) * g


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (faded, {"x": "input", "dt": ""}),
        (masked, {"x": "input", "mask": "input"}),
        (another_vector, {"x": "input", "note": "note"}),
        (two_that_meet, {"x": "input", "mask": "input", "dt": "input"}),
        (both_lengths, {"x": "input", "dt": ""}),
        (two_of_one_length, {"x": "input", "note": "note", "other": "note"}),
        (summed, {"x": "input", "note": "note"}),
        (a_gate, {"x": "input", "g": "hidden"}),
        (a_number, {"x": "input", "s": ""}),
        (both_ways, {"x": "input", "g": "hidden"}),
    ],
)
def test_the_size_of_an_input_follows_from_its_use(function, expected):
    read = cell(function)
    assert sizes(read) == expected
    again = Cell.from_json(read.to_json())
    assert (sizes(again), again.fingerprint, again.text()) == (expected, read.fingerprint, read.text())


def test_annotations_may_be_text():
    namespace = {"tanh": tanh, "cell": cell}
    source = "from __future__ import annotations\n@cell\ndef one(x, s: 1, g: 'input', /, h, *, W):\n"
    exec(source + "    return tanh(W.h @ (s * x * g)) + h\n", namespace)
    assert sizes(namespace["one"]) == {"x": "input", "s": "", "g": "input"}


def test_without_a_marker_the_first_argument_is_the_input():
    def plain(x, dt, *, W):
        return tanh(W.h @ x) + dt

    read = cell(plain)
    assert (read.inputs, read.states) == (("x",), ("dt",))


def test_a_marker_behind_one_input_changes_nothing():
    def marked(x, /, h, *, W):
        return tanh(W.h @ x) + h

    assert (cell(marked).inputs, cell(marked).states) == (("x",), ("h",))


def test_a_size_of_its_own_is_one_of_the_networks():
    read = cell(another_vector)
    assert read.sizes == ("input", "hidden", "note")
    assert read.parameter_shapes(input_size=3, hidden_size=4, sizes={"note": 2})["V.h"] == (4, 2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, dt, /, h, *, W: tanh(W.h @ x) + h, "nothing reads the input `dt`, which a call would have to pass"),
        (lambda x, dt, /, h, *, W: tanh(W.h @ dt) + h, "nothing reads the input `x`, which a call would have to pass"),
    ],
)
def test_an_input_without_use_is_refused(function, message):
    function.__name__ = "idle"
    with pytest.raises(TraceError, match=f"cell `idle`: {message}"):
        cell(function)


def test_a_cell_of_inputs_alone_is_refused():
    def stateless(x, h, /, *, W):
        return tanh(W.h @ x) + h

    with pytest.raises(TraceError, match=r"at least one state: .*; what stands before the / are inputs, x, h"):
        cell(stateless)


def test_an_annotation_that_is_no_size_is_refused():
    def one(x, dt: 2, /, h, *, W):
        return tanh(W.h @ (dt * x)) + h

    with pytest.raises(TraceError, match='the annotation of input `dt` names its size, such as dt: "hidden", or dt: 1'):
        cell(one)


def test_a_contradiction_is_one_whatever_the_input_is():
    def one(x, dt, /, h, *, W, U):
        return tanh(W.h @ x + U.h @ x) + h * dt + x

    with pytest.raises(ShapeError, match=r"state `h` is \[hidden\], but its new value is \[input\]|`x` is \[input\]"):
        cell(one)


def test_a_length_that_nothing_says_is_not_taken_for_another_of_that_name():
    def one(x, hidden, /, h, *, W, V):
        return tanh(W.h @ x + V.h @ hidden) + h

    with pytest.raises(ShapeError, match='nothing says how long `hidden` is; annotate it: hidden: "size"'):
        cell(one)


def test_printed_with_time_subscripts():
    read = cells.get("gru_d")
    assert read.text().startswith("gamma_x = exp(-relu(G.x * dt + b.x))\ngamma_h = exp(-relu(G.h @ dt + b.h))\n")
    assert r"\mathrm{dt}_{t}" in read.latex()
    assert r"\mathrm{mask}_{t}" in read.latex()
    assert "maskₜ" in read.svg()
    assert "x_lastₜ₋₁" in read.svg()
    assert "dt" in read.mathml()


def test_a_cell_inside_another_takes_all_inputs_and_then_the_states():
    inner = cells.get("gru_decay")

    @cell
    def outer(x, dt, /, h, *, W, U, b, d, G):
        _, h = inner(x, dt, h, W=W, U=U, b=b, d=d, G=G)
        return h

    assert outer.fingerprint == inner.fingerprint
    assert sizes(outer) == {"x": "input", "dt": ""}

    def one_short(x, dt, /, h, *, W, U, b, d, G):
        _, h = inner(x, h, W=W, U=U, b=b, d=d, G=G)
        return h * dt

    with pytest.raises(TraceError, match="cell `gru_decay` takes the inputs dt and the states h; 1 came"):
        cell(one_short)


def test_modifiers_keep_the_sizes_of_inputs():
    for modified in (cells.zoneout("gru_d", 0.1), cells.recurrent_dropout("gru_d", 0.2), cells.without("gru_d", "V")):
        assert sizes(modified) == sizes(cells.get("gru_d"))
    assert cells.residual("gru_decay").inputs == ("x", "dt")
    with pytest.raises(TraceError, match=r"cell `without\(gru_decay\)`: nothing reads the input `dt`"):
        cells.without("gru_decay", "G")


def stored(**changes):
    data = json.loads(cells.get("gru_decay").to_json())
    data["graph"]["sizes"] |= changes.pop("sizes", {})
    return json.dumps(data)


def test_files_say_what_does_not_follow():
    assert json.loads(cells.get("gru_decay").to_json())["graph"]["sizes"] == {"input.dt": "", "state.h": "hidden"}
    assert json.loads(cells.get("gru").to_json())["graph"]["sizes"] == {"state.h": "hidden"}  # as ever
    both = json.loads(cells.get("gru_d").to_json())["graph"]["sizes"]
    assert both == {"state.h": "hidden", "state.x_last": "input"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"input.x": ""},
        {"input.x": "hidden"},
        {"input.nobody": "hidden"},
        {"input.dt": "1x"},
        {"input.dt": 3},
        {"state.h": ""},
        {"output": "hidden"},
    ],
)
def test_hostile_sizes_in_a_file_are_refused(wrong):
    with pytest.raises(FileFormatError):
        Cell.from_json(stored(sizes=wrong))


def test_the_fingerprint_knows_how_long_an_input_is():
    def number(x, g: 1, /, h, *, W):
        return tanh(W.h @ x) * g + h

    def vector(x, g: hidden, /, h, *, W):  # noqa: F821
        return tanh(W.h @ x) * g + h

    assert cell(number).fingerprint != cell(vector).fingerprint
    assert loopcell.cells.get("gru_d").inputs == ("x", "mask", "dt")
