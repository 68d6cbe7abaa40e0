"""What was written and has no effect is said; what has one, or is left out on purpose, is not."""

# ruff: noqa: B018, F841, RUF059 - values that nothing uses are what this is about

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from loopcell import bernoulli, cell, cells, relu, sigmoid, tanh
from loopcell.errors import EquationWarning

lstm, sru = cells.get("lstm"), cells.get("sru")


def notes(function, **settings):
    """What is said of a cell, without its name and without lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cell(**settings)(function)
    assert all(note.category is EquationWarning for note in caught)
    return [str(note.message).removeprefix(f"cell `{function.__name__}`: ") for note in caught]


def test_a_gate_that_nothing_uses():
    def gated(x, h, *, W, U, b):
        i = sigmoid(W.i @ x + U.i @ h + b.i)
        f = sigmoid(W.f @ x + U.f @ h)
        return f * h

    (note,) = notes(gated)
    line = gated.__code__.co_firstlineno + 1
    assert note == f"`i` (line {line} of test_unused.py) is computed and not used, and `W.i`, `U.i` and `b.i` with it"


def test_the_note_points_at_the_cell():
    with pytest.warns(EquationWarning, match="does not look back") as caught:

        @cell
        def forward(x, h, *, W):
            return tanh(W.h @ x)

    assert caught[0].filename == __file__


def test_of_a_chain_the_last_value_is_named():
    def chained(x, h, *, W, U):
        i = sigmoid(W.i @ x)
        j = i * h
        return tanh(U.h @ h)

    (note,) = notes(chained)
    assert note.startswith("`j` (")
    assert note.endswith("is computed and not used, and `W.i` with it")


def test_values_without_a_name():
    def overwritten(x, h, *, W):
        g = sigmoid(W.f @ x)
        g = sigmoid(W.g @ x)
        return g * h

    def forgotten(x, h, *, W, b):
        h = tanh(W.h @ x + h)
        b.h
        return h

    def in_a_table(x, h, *, W):
        gates = {name: sigmoid(getattr(W, name) @ x) for name in "ifo"}
        return gates["i"] * h + gates["f"]

    assert "(`g = sigmoid(W.f @ x)`) is computed and not used, and `W.f` with it" in notes(overwritten)[0]
    assert notes(forgotten)[0].startswith("`b.h` (line ")
    assert "is computed and not used, and `W.o` with it" in notes(in_a_table)[0]


def test_results_of_a_helper():
    def gates(x, W):
        return sigmoid(W.i @ x), sigmoid(W.f @ x), sigmoid(W.o @ x)

    def bound(x, h, *, W):
        i, f, o = gates(x, W)
        return i * h + o

    def left_out(x, h, *, W):
        i, _, _ = gates(x, W)
        return i * h

    def left_out_by_name(x, h, *, W):
        i, _f, _o = gates(x, W)
        return i * h

    assert [note[:4] for note in notes(bound)] == ["`f` "]
    assert notes(left_out) == notes(left_out_by_name) == []


def test_a_namespace_that_nothing_uses():
    def plain(x, h, *, W, U, b, p):
        return tanh(W.h @ x + U.h @ h)

    def passed_on(x, h, c, *, W, U, b, p):
        return lstm(x, h, c, W=W, U=U, b=b, p=p)

    said = "nothing uses `b` and `p`, so there are no such parameters; leave them out of the arguments"
    assert notes(plain) == [said]
    assert notes(passed_on) == ["nothing uses `p`, so there are no such parameters; leave it out of the arguments"]


def test_a_cell_without_a_past():
    def forward(x, h, c, *, W):
        h = tanh(W.h @ x)
        c = relu(h)
        return h, c

    def long_as(x, h, *, W):
        return tanh(W.h @ x) * bernoulli(h, 0.5, name="kept")

    said = "this cell does not look back: nothing that it returns depends on `h`"
    assert notes(forward) == [f"{said} or `c`"]
    assert notes(long_as) == [said]  # which takes the length of h, and no number


def test_what_is_left_out_on_purpose_is_not_said():
    def by_setting(x, h, *, W, b, bias=False):
        z = W.h @ x + h
        if bias:
            z = z + b.h
        return tanh(z)

    def chosen(x, h, *, W, b, bias=False):
        plain = W.h @ x + h
        biased = plain + b.h
        return tanh(biased if bias else plain)

    def named_so(x, h, *, W, _b):
        _i = sigmoid(W.i @ x)
        return tanh(W.h @ x + h)

    def a_part_of_another_cell(x, c, *, W, v, b):
        _, c = sru(x, c, W=W, v=v, b=b)
        return c

    assert notes(by_setting) == notes(by_setting, bias=True) == []
    assert notes(chosen) == notes(chosen, bias=True) == []
    assert notes(named_so) == notes(a_part_of_another_cell) == []


def test_modifiers_say_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in cells.names():
            one = cells.get(name)
            cells.zoneout(cells.recurrent_dropout(cells.weight_dropout(one, 0.5), 0.5), 0.1)
            spaces = (name.partition(".")[0] for name in one.graph.parameters)
            cells.without(one, next(space for space in spaces if space != "G"))  # without it nothing would read dt


def test_the_librarys_cells_say_nothing():
    program = "import loopcell.cells as cells; assert cells.names()"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
