"""Equations are recognised by what they compute, not by how they are written."""

from __future__ import annotations

import time

import pytest

from loopcell import cell, cells, exp, maximum, relu, sigmoid, tanh
from loopcell.cells import recurrent_dropout, weight_dropout, without, zoneout
from loopcell.passes import build_program
from loopcell.passes.normal_form import NormalForms
from loopcell.passes.recognise import torch_form

KNOWN = {
    "rnn": "RNN_TANH",
    "rnn_relu": "RNN_RELU",
    "lstm": "LSTM",
    "lstm_projected": "LSTM",
    "gru": "GRU",
    "gru_lets_after": "GRU",
}
"""The cells of the library that torch has an operator for; a cell that is added is none, or is added here."""


def form(made, *, training=False):
    return torch_form(build_program(made.graph, training=training).cell)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", cells.names())
def test_the_cells_of_the_library(name, training):
    found = form(cells.get(name), training=training)
    assert (None if found is None else found.kind) == KNOWN.get(name)


def updates(z, n, h):
    """One update, (1 - z) n + z h, in the ways of books and repositories."""
    return {
        "torch's": (1 - z) * n + z * h,
        "turned round": h * z + n * (1 - z),
        "from the candidate": n + z * (h - n),
        "from the state": h - (1 - z) * (h - n),
        "expanded": n - z * n + z * h,
        "with a number": (2 * z * h + 2 * n - 2 * (n * z)) / 2,
    }


def a_gru(spelling, *, lets_in=False):
    @cell
    def made(x, h, *, W, U, b, d):
        r = sigmoid(U.r @ h + b.r + W.r @ x)
        z = sigmoid(W.z @ x + b.z + U.z @ h)
        n = tanh(b.n + r * d.n + W.n @ x + (U.n @ h) * r)
        return updates(1 - z if lets_in else z, n, h)[spelling]

    return made


@pytest.mark.parametrize("spelling", updates(2.0, 3.0, 5.0))
def test_an_update_in_every_spelling_is_one(spelling):
    keeps, lets_in = form(a_gru(spelling)), form(a_gru(spelling, lets_in=True))
    assert keeps.kind == lets_in.kind == "GRU"
    assert [gate.hidden for gate in keeps.gates] == [(("U.r", 1.0),), (("U.z", 1.0),), (("U.n", 1.0),)]
    assert lets_in.gates[1] == keeps.gates[1].negated()
    assert lets_in.gates[2] == keeps.gates[2]
    assert keeps.gates[2].inner == (("d.n", 1.0),)


@cell
def somebodys_lstm(u, m, s, *, A, B, k):
    """Other names and another order, a sigmoid from exp, a sign inside of a gate and before one."""
    out = sigmoid(B.o @ s + A.o @ u)
    keep = 1 / (1 + exp(-(A.k @ u + B.k @ s - k.k)))
    m = m * keep - tanh(A.n @ u - B.n @ (2 * s)) * sigmoid(A.e @ u + B.e @ s + k.e)
    s = tanh(m) * out
    return s, m, s


def test_an_lstm_in_other_words():
    found = form(somebodys_lstm)
    assert (found.kind, found.states, found.input) == ("LSTM", ("s", "m"), "u")
    i, f, g, o = found.gates
    assert (i.input, f.bias, o.bias) == ((("A.e", 1.0),), (("k.k", -1.0),), ())
    assert (g.input, g.hidden) == ((("A.n", -1.0),), (("B.n", 2.0),))  # -tanh(v) = tanh(-v)


def test_a_maximum_is_no_relu():
    """Where both are 0 the gradient of a maximum is shared, and that of relu is 0."""

    @cell
    def made(x, h, *, W, U):
        return maximum(0, W.h @ x + U.h @ h)

    assert form(made) is None


def an_lstm(change):
    """An LSTM but for one thing that torch's operator has not."""

    @cell
    def made(x, h, c, *, W, U, b, p):
        f = sigmoid(W.f @ x + U.f @ h + b.f + (p.f * c if change == "a peephole" else 0))
        i = 1 - f if change == "coupled gates" else sigmoid(W.i @ x + U.i @ h)
        g = (relu if change == "another function" else tanh)(W.g @ x + U.g @ h)
        o = sigmoid(W.o @ x + U.o @ h + (tanh(b.o) if change == "a function of a bias" else 0))
        c = f * c + i * g * (2 if change == "a number before the candidate" else 1)
        h = o * (c if change == "the cell state as it is" else tanh(c))
        return (2 * h if change == "another output" else h), h, c

    return made


@pytest.mark.parametrize(
    "change",
    [
        "a peephole",
        "coupled gates",
        "another function",
        "a function of a bias",
        "a number before the candidate",
        "the cell state as it is",
        "another output",
    ],
)
def test_what_is_nearly_an_lstm_is_none(change):
    assert form(an_lstm(None)).kind == "LSTM"
    assert form(an_lstm(change)) is None


def test_several_inputs_have_no_operator():
    @cell
    def made(x, note, /, h, *, W, U, V):
        return tanh(W.h @ x + U.h @ h + V.h @ note)

    assert form(made) is None


DRAWING = {
    "zoneout": zoneout(cells.get("lstm"), 0.1),
    "dropout of the state": recurrent_dropout(cells.get("gru"), 0.3),
    "dropout of weights": weight_dropout(cells.get("lstm"), 0.5),
}


@pytest.mark.parametrize("name", DRAWING)
def test_draws_have_no_operator_in_training(name):
    assert form(DRAWING[name], training=True) is None
    # Means of masks are numbers: what is 1 on average leaves the equations as they were.
    assert (form(DRAWING[name]) is None) == (name == "zoneout")


def test_without_biases():
    found = form(without(cells.get("gru"), "b", "d"))
    assert found.kind == "GRU"
    assert not found.has_bias


def test_equations_that_grow_are_given_up_early():
    @cell
    def made(x, h, *, W, U):
        for _ in range(12):
            h = (h + W.h @ x) * (h + U.h @ h) + tanh(h)
        return h

    start = time.perf_counter()
    assert NormalForms(made.graph).values is None
    assert form(made) is None
    assert time.perf_counter() - start < 1.0
