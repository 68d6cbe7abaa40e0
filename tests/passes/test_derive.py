"""The reverse step: what it keeps and what travels."""

from __future__ import annotations

from loopcell import cell, cells, tanh
from loopcell.equations.keys import Key
from loopcell.passes import STAGES, build_program


def backward(equations):
    return build_program(equations.graph, training=True).backward


def test_the_lstm_keeps_its_activations_and_nothing_else():
    kept = backward(cells.get("lstm"))
    tanh_c = next(name for name in kept.saved if name not in "ifgo")
    assert set(kept.saved) == {"i", "f", "g", "o", tanh_c}
    read = {node.key for _, node in kept.graph.leaves("state", "hoisted")}
    assert read == {Key("state", "c")}  # forget gate's factor; h is read by the products after the loop


def test_matrices_get_their_gradient_after_the_loop():
    kept = backward(cells.get("gru_keeps_before"))
    assert {outer.parameter for outer in kept.outer} == {"U.r", "U.z", "U.n"}
    operands = {outer.parameter: outer.operand for outer in kept.outer}
    assert operands["U.r"] == Key("state", "h")
    assert operands["U.n"].kind == "operand"  # r * h, computed in the step


def test_cheap_values_are_computed_again():
    kept = backward(cells.get("gru"))
    ops = {build_program(cells.get("gru").graph, training=True).loop.nodes[index].op for index in kept.saved.values()}
    assert ops <= {"sigmoid", "tanh", "matmul"}


def test_every_state_has_a_cotangent_even_if_nobody_reads_it():
    @cell
    def unread(x, h, *, W):
        return tanh(W.h @ x)

    assert Key("state", "h") in backward(unread).graph.results


def test_two_values_of_one_name_are_kept_apart():
    inner = cells.get("rnn")

    @cell
    def twice(x, h, *, W, U, b, V, Q, d):
        first = inner(x, h, W=W, U=U, b=b)[1]
        return inner(x, first, W=V, U=Q, b=d)[1]

    assert len(backward(twice).saved) == 2


def test_stages_print():
    program = build_program(cells.get("lstm").graph, training=True)
    printed = {title.partition(":")[0]: show(program) for title, show in STAGES}
    assert list(printed) == ["equations", "graph", "hoist", "schedule", "derive"]
    assert "i_in = W.i @ x + b.i" in printed["hoist"]
    assert "product [U.i; U.f; U.g; U.o] @ h" in printed["schedule"]
    assert "d_U.i = sum over time and batch of (" in printed["derive"]
