"""What leaves the loop, and what must stay."""

from __future__ import annotations

import pytest

from loopcell import cell, cells, exp, sigmoid, tanh
from loopcell.equations import printing
from loopcell.passes import build_program
from loopcell.passes.hoist import hoist, split_branches


def parts(equations):
    hoisted = hoist(equations.graph)
    printer = printing.Printer(hoisted.prologue)
    crossing = {str(key): printer.right_side(index) for key, index in hoisted.prologue.results.items()}
    return crossing, printing.text(hoisted.loop)


def test_the_inputs_share_of_every_gate_leaves_with_its_bias():
    crossing, loop = parts(cells.get("lstm"))
    assert crossing == {f"hoisted.{g}_in": f"W.{g} @ x + b.{g}" for g in "ifgo"}
    assert loop.splitlines()[0] == "i = sigmoid(i_in + U.i @ h)"


def test_what_stands_inside_a_product_stays():
    crossing, loop = parts(cells.get("gru"))
    assert crossing["hoisted.n_in"] == "W.n @ x + b.n"
    assert "n = tanh(n_in + r * (U.n @ h + d.n))" in loop


def test_gates_of_the_input_alone_leave_whole():
    hoisted = hoist(cells.get("min_gru").graph)
    assert [node.op for node in hoisted.loop.nodes] == ["state", "hoisted", "mul", "hoisted", "add"]


def test_functions_of_parameters_alone_leave_and_hold_still():
    @cell
    def leaky(x, h, *, W, p):
        rate = sigmoid(p.rate)
        return rate * h + exp(p.gain) * tanh(W.h @ x)

    hoisted = hoist(leaky.graph)
    assert hoisted.varying == {"h_in"}
    assert set(map(str, hoisted.prologue.results)) == {"hoisted.rate", "hoisted.h_in"}


def test_differences_keep_their_signs():
    @cell
    def signed(x, h, *, W, U, b):
        return tanh(b.h - U.h @ h - W.h @ x)

    crossing, loop = parts(signed)
    assert crossing == {"hoisted.h_in": "b.h - W.h @ x"}
    assert loop == "h = tanh(h_in - U.h @ h)"


def test_a_sum_that_is_used_twice_or_named_is_not_taken_apart():
    @cell
    def named(x, h, *, W, U, b):
        s = W.h @ x + U.h @ h
        return tanh(s + b.h) * s

    _, loop = parts(named)
    assert loop.splitlines()[0] == "s = s_in + U.h @ h"


def test_a_cell_without_a_past_leaves_the_loop_altogether():
    @cell
    def feed_forward(x, h, *, W):
        return tanh(W.h @ x)

    hoisted = hoist(feed_forward.graph)
    assert {node.op for node in hoisted.loop.nodes} == {"hoisted"}


@pytest.mark.parametrize("name", cells.names())
def test_the_loop_never_reads_the_input(name):
    program = build_program(cells.get(name).graph, training=True)
    assert not list(program.loop.leaves("input"))
    assert not list(program.prologue.leaves("state"))


def test_draws_of_a_step_are_hoisted_and_draws_of_a_sequence_hold():
    zoned = hoist(cells.zoneout(cells.get("rnn"), 0.5).graph)
    assert "zoneout_h" in zoned.varying
    dropped = hoist(cells.recurrent_dropout(cells.get("rnn"), 0.5).graph)
    assert [node.random.each for _, node in dropped.loop.leaves("random")] == ["sequence"]


def test_branches_share_what_the_state_alone_decides():
    program = build_program(cells.get("gru").graph, training=True)
    split = split_branches(program.loop, program.varying)
    printer = printing.Printer(split.once)
    shared = {str(key): printer.right_side(index) for key, index in split.once.results.items()}
    assert shared == {"hoisted.r_in2": "U.r @ h", "hoisted.z_in2": "U.z @ h", "hoisted.n_in2": "U.n @ h + d.n"}
    assert not [node for node in split.core.nodes if node.op == "matmul"]


@pytest.mark.parametrize("name", cells.names())
def test_what_branches_share_reads_nothing_of_their_inputs(name):
    program = build_program(cells.get(name).graph, training=True)
    split = split_branches(program.loop, program.varying)
    assert not {node.name for _, node in split.once.leaves("hoisted")} & program.varying
    assert [str(key) for key in split.core.results] == ["output"]
