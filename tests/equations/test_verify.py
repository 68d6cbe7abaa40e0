"""Shapes from use: what is inferred, and the sentences about contradictions, word for word."""

from __future__ import annotations

import pytest

from loopcell import cell, cells, mean, sigmoid, sized, tanh
from loopcell.equations.verify import check
from loopcell.errors import InputError, ShapeError
from loopcell.passes import build_program


def message(function) -> str:
    """The error's text below the place: `cell ..., line ...` and the quoted line are checked here."""
    with pytest.raises(ShapeError) as caught:
        cell(function)
    place, quoted, *rest = str(caught.value).split("\n")
    assert place.startswith(f"cell `{function.__name__}`, line ")
    assert place.endswith(" of test_verify.py:")
    assert quoted.startswith("    ")
    return "\n".join(rest)


def test_shapes_follow_from_use():
    shapes = cells.get("lstm_peephole").parameter_shapes(input_size=3, hidden_size=5)
    assert shapes["W.i"] == (5, 3)
    assert shapes["U.i"] == (5, 5)
    assert shapes["p.i"] == (5,)
    assert shapes["b.i"] == (5,)


def test_parameter_counts_of_torch():
    import torch

    for ours, theirs in (("rnn", torch.nn.RNN), ("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)):
        module = theirs(7, 11)
        weights = sum(p.numel() for name, p in module.named_parameters() if "bias_hh" not in name)
        inner_bias = 11 if ours == "gru" else 0  # d.n, the one bias of bias_hh that is not a second copy
        assert cells.get(ours).num_parameters(input_size=7, hidden_size=11) == weights + inner_bias


def test_a_named_rank():
    @cell
    def low_rank(x, h, *, W, P, Q):
        return tanh(W.h @ x + P.h @ sized(Q.h @ h, "rank"))

    assert low_rank.sizes == ("input", "hidden", "rank")
    shapes = low_rank.parameter_shapes(input_size=3, hidden_size=8, sizes={"rank": 2})
    assert shapes == {"W.h": (8, 3), "Q.h": (2, 8), "P.h": (8, 2)}


def test_adding_the_bare_input():
    def careless(x, h, *, W, U):
        v = U.h @ h + U.g @ h
        s = v * h + x
        return tanh(W.h @ x) + s

    assert message(careless) == (
        "`v * h` is [hidden] and `x` is [input]: the operands of add must have one length; "
        "W.name @ x turns [input] into [hidden]"
    )


def test_one_matrix_for_two_lengths():
    def shared(x, h, *, W):
        a = tanh(W.h @ x)
        return a * (W.h @ h)

    found = message(shared)
    assert found.startswith("`W.h` is [?, input] in line ")
    assert found.endswith(
        "and `h` is [hidden]: a product here needs a parameter [..., hidden]; give this use a parameter of its own"
    )


def test_a_matrix_that_is_also_a_vector():
    def both(x, h, *, W):
        a = W.h @ x
        return a + W.h

    def reverse(x, h, *, W):
        a = h + W.h
        return a + W.h @ x

    assert message(both).startswith("`W.h` is a vector here and a matrix in line ")
    assert message(reverse).startswith("`W.h` is a matrix here and a vector in line ")


def test_the_left_side_of_a_product():
    def swapped(x, h, *, W):
        return h @ x

    assert message(swapped) == "the left side of @ is `h`, which is not a parameter; write W.name @ value"


def test_a_length_that_does_not_follow():
    def deep(x, h, *, P, Q):
        return tanh(P.h @ (Q.h @ h) + h)

    assert message(deep) == (
        'the length of `Q.h @ h` does not follow from its use; give it a name: sized(Q.h @ h, "rank")'
    )


def test_a_scalar_as_a_state():
    def shrunk(x, h, *, W):
        return mean(W.h @ x + h)

    with pytest.raises(ShapeError, match=r"is a scalar, and a result must be a vector"):
        cell(shrunk)


def test_a_new_state_of_another_length():
    def leaky(x, h, *, W):
        return tanh(x)

    with pytest.raises(ShapeError, match=r"state `h` is \[hidden\], but its new value is \[input\]"):
        cell(leaky)


def test_the_bare_input_among_unknown_lengths():
    def highway(x, h, *, W, U):
        t = sigmoid(W.t @ x)
        return t * tanh(U.n @ x) + (1 - t) * x

    place = message(highway)
    assert place == (
        "state `h` is [hidden], but its new value is [input]: the input itself stands here; W.name @ it has the "
        'length [hidden], and sized(it, "hidden") demands that both lengths are equal'
    )


def test_annotated_sizes():
    @cell
    def projected(x, h: proj, c, *, W, U, P):  # noqa: F821 - a size, not a type
        c = sigmoid(W.c @ x + U.c @ h) * c
        return P.h @ c, c

    assert projected.parameter_shapes(input_size=2, hidden_size=6, sizes={"proj": 3})["P.h"] == (3, 6)


def test_sizes_are_asked_for_by_name():
    lstmp = cells.get("lstm_projected")
    with pytest.raises(InputError, match=r"needs the size 'proj': pass sizes=\{'proj': ...\}"):
        lstmp.parameter_shapes(input_size=2, hidden_size=6)
    with pytest.raises(InputError, match="has no size named 'rank'; its sizes are input, hidden"):
        cells.get("lstm").parameter_shapes(input_size=2, hidden_size=6, sizes={"rank": 2})
    with pytest.raises(InputError, match="the size 'hidden' must be a whole number of at least 1, not 0"):
        cells.get("lstm").parameter_shapes(input_size=2, hidden_size=0)


def test_equal_sizes_are_demanded():
    stacked = cells.residual(cells.get("gru"))
    with pytest.raises(InputError, match=r"needs input and hidden of equal size \(`x` is used as \[hidden\]\)"):
        stacked.parameter_shapes(input_size=2, hidden_size=6)


@pytest.mark.parametrize("name", cells.names())
def test_every_pass_keeps_shapes_right(name):
    for training in (True, False):
        program = build_program(cells.get(name).graph, training=training)
        for graph in (program.cell, program.prologue, program.loop, program.backward.graph):
            check(graph)


def test_the_checker_can_fail():
    from dataclasses import replace

    graph = cells.get("rnn").graph
    wrong = tuple(replace(node, shape=("input",)) if node.op == "tanh" else node for node in graph.nodes)
    with pytest.raises(ShapeError, match=r"rnn: tanh is \[hidden\], the graph says \[input\]"):
        check(replace(graph, nodes=wrong))
