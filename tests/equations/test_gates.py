from __future__ import annotations

import pytest

from loopcell import cell, cells, sigmoid, tanh
from loopcell.equations.gates import Gate, gates_of

BOTH = {"lstm": ("b.f", "b.i"), "lstm_peephole": ("b.f", "b.i"), "lstm_layer_norm": ("shift.f", "shift.i")}
ONE = {
    "gru": Gate("b.z", 1),
    "gru_lets_before": Gate("b.z", -1),
    "gru_layer_norm": Gate("shift.z", 1),
    "lstm_coupled": Gate("b.f", 1),
    "mgu": Gate("b.f", -1),
    "min_gru": Gate("b.z", -1),
    "sru": Gate("b.f", 1),
}


@pytest.mark.parametrize("name", BOTH)
def test_a_cell_with_a_gate_for_each_of_the_two(name):
    forget, enter = BOTH[name]
    assert gates_of(cells.get(name).graph) == ((Gate(forget, 1),), (Gate(enter, 1),))


@pytest.mark.parametrize("name", ONE)
def test_a_cell_whose_one_gate_does_both(name):
    assert gates_of(cells.get(name).graph) == ((ONE[name],), ())


@pytest.mark.parametrize("name", ["rnn", "indrnn", "min_lstm"])
def test_a_cell_without_such_a_gate(name):
    assert gates_of(cells.get(name).graph) == ((), ())


@cell
def own(x, memory, *, W, U, offset):
    hold = sigmoid(offset.a + W.a @ x)
    take = 1 - sigmoid(W.t @ x + U.t @ memory + offset.t)
    return take * tanh(W.n @ x) + hold * memory


def test_names_and_order_do_not_count():
    assert gates_of(own.graph) == ((Gate("offset.a", 1),), (Gate("offset.t", -1),))


@cell
def shared(x, h, *, W, b):
    gate = sigmoid(W.z @ x + b.z)
    kept, new = gate * h, (1 - gate) * tanh(W.h @ x)
    for _ in range(200):  # as a tree 2^200 terms, and 2^200 factors
        kept, new = kept + kept, new * new
    return kept + new


def test_a_value_with_many_users_is_looked_at_once():
    assert gates_of(shared.graph) == ((Gate("b.z", 1),), ())
