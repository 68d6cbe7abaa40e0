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
