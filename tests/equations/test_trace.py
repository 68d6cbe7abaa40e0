"""Reading cells: names, returns, settings, and what is refused."""

from __future__ import annotations

import sys

import pytest

from loopcell import bernoulli, cell, cells, mean, minimum, relu, sigmoid, sized, tanh, where
from loopcell.errors import EquationError, ShapeError, TraceError


def test_names_come_from_the_functions_locals():
    @cell
    def gated(x, h, *, W, U):
        gate = sigmoid(W.gate @ x + U.gate @ h)
        candidate = tanh(W.candidate @ x)
        return gate * h + (1 - gate) * candidate

    labels = [node.label for node in gated.graph.nodes if node.label]
    assert labels == ["gate", "candidate", "h"]


def test_tracing_leaves_no_profiler_or_tracer_behind():
    before = sys.getprofile(), sys.gettrace()

    @cell
    def plain(x, h, *, W):
        return tanh(W.h @ x + h)

    assert (sys.getprofile(), sys.gettrace()) == before


def test_a_value_that_is_bound_again_keeps_its_last_name():
    @cell
    def twice(x, h, *, W, U):
        z = W.z @ x + U.z @ h
        z = sigmoid(z)
        return z * h

    assert [node.op for node in twice.graph.nodes if node.label == "z"] == ["sigmoid"]


def test_one_more_value_than_states_is_an_output_of_its_own():
    @cell
    def highway(x, c, *, W):
        c = tanh(W.c @ x) + c
        y = relu(c)
        return y, c

    assert highway.states == ("c",)
    assert highway.graph.result("output") != highway.graph.result("state", "c")


def test_equal_values_are_one_node():
    @cell
    def repeated(x, h, *, W):
        return tanh(W.h @ x) * h + tanh(W.h @ x)

    assert sum(node.op == "tanh" for node in repeated.graph.nodes) == 1


def test_settings_shape_the_equations():
    def leaky(x, h, *, W, rate=0.5, squash="tanh"):
        candidate = tanh(W.h @ x) if squash == "tanh" else relu(W.h @ x)
        return rate * h + (1 - rate) * candidate

    plain, other = cell(leaky), cell(rate=0.25, squash="relu")(leaky)
    assert plain.text() == "candidate = tanh(W.h @ x)\nh = 0.5 * h + 0.5 * candidate"
    assert other.text() == "candidate = relu(W.h @ x)\nh = 0.25 * h + 0.75 * candidate"
    assert plain.fingerprint != other.fingerprint


def test_a_cell_inside_a_cell():
    inner = cells.get("rnn")

    @cell
    def doubled(x, h, *, W, U, b):
        _, once = inner(x, h, W=W, U=U, b=b)
        return 2 * once

    assert doubled.text() == "once = tanh(W.h @ x + U.h @ h + b.h)\nh = 2 * once"
    with pytest.raises(TraceError, match=r"cell `rnn` learns in namespaces of its own; pass U=U, b=b"):

        @cell
        def careless(x, h, *, W):
            return inner(x, h, W=W)[1]


def test_where_and_comparisons_take_the_place_of_if():
    @cell
    def clipped(x, h, *, W):
        v = W.h @ x + h
        return where(v > 1, 1.0, minimum(v, 3.0)) + mean(v)

    assert "where(greater(v, 1), 1, minimum(v, 3))" in clipped.text()


def refused(function, error=TraceError):
    with pytest.raises(error) as caught:
        cell(function)
    assert isinstance(caught.value, EquationError)
    return str(caught.value)


def test_control_flow_on_a_value():
    def decides(x, h, *, W):
        return h if h > 0 else tanh(W.h @ x)

    message = refused(decides)
    assert "return h if h > 0 else tanh(W.h @ x)" in message
    assert "use where(condition, a, b): a cell has no data at hand when it is read" in message


def test_a_loop_an_index_and_a_number():
    def loops(x, h, *, W):
        for part in h:
            x = x + part
        return x

    def indexes(x, h, *, W):
        return h[0]

    def rounds(x, h, *, W):
        return h * float(x)

    assert "a loop over a traced value cannot be part of an equation" in refused(loops)
    assert "an index into a traced value cannot be part of an equation" in refused(indexes)
    assert "a number from a traced value cannot be part of an equation" in refused(rounds)


def test_a_bare_namespace():
    def bare(x, h, *, W):
        return tanh(W @ x + h)

    assert "`W` is a namespace of parameters, not a parameter; write W.name, such as W.i" in refused(bare)


def test_a_bare_namespace_beside_a_gate_names_the_parameter():
    def behind(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b)

    def before(x, h, *, W, b):
        return tanh(b + W.g @ x) + h

    def divided(x, h, *, W, b):
        return minimum(W.g @ x, b) + h

    def unclear(x, h, *, W, b):
        return sigmoid(W.i @ x) * h + W.g @ x + b

    assert refused(behind).endswith("`b` is a namespace of parameters, not a parameter; write b.h")
    assert refused(before).endswith("write b.g")
    assert refused(divided).endswith("write b.g")
    assert refused(unclear).endswith("write b.name, such as b.g")


NAMESPACE_USES = {
    "negated": lambda W, h: -W,
    "magnitude": lambda W, h: abs(W),
    "power": lambda W, h: W**2,
    "quotient": lambda W, h: h / W,
    "comparison": lambda W, h: h > W,
    "right of @": lambda W, h: W.i @ W,
    "call": lambda W, h: W(h),
    "index": lambda W, h: h * W[0],
    "sum": lambda W, h: sum(W),
    "decision": lambda W, h: h if W else 2 * h,
    "number": lambda W, h: h * float(W),
    "function": lambda W, h: tanh(W),
    "mean": lambda W, h: mean(W),
    "two operands": lambda W, h: minimum(W, h + 1),
    "condition": lambda W, h: where(W, h, h),
    "size": lambda W, h: sized(W, "rank"),
    "draw": lambda W, h: bernoulli(W, 0.5, name="m"),
    "result": lambda W, h: W,
}


@pytest.mark.parametrize("use", NAMESPACE_USES)
def test_every_use_of_a_bare_namespace(use):
    def used(x, h, *, W):
        return NAMESPACE_USES[use](W, h)

    message = refused(used)
    assert "`W` is a namespace of parameters, not a parameter; write W." in message
    assert message.startswith("cell `used`, line ")


def test_functions_of_torch_and_numpy_on_a_namespace():
    import numpy as np
    import torch

    for function in (torch.tanh, np.tanh, np.float32(2).__mul__):

        def used(x, h, *, W, function=function):
            return function(W)

        assert "`W` is a namespace of parameters, not a parameter; write W.name, such as W.i" in refused(used)


def test_what_a_value_does_not_have():
    def no_star(x, h, W):
        return tanh(W.h @ x), h

    def method(x, h, *, W):
        return (W.h @ x + h).tanh()

    def transposed(x, h, *, W):
        return (W.h @ x).T + h

    def layer(x, h, *, W):
        return tanh(W.h(x)) + h

    assert refused(no_star).endswith(
        "W.h cannot be part of an equation; `W` is a state; "
        "namespaces of parameters stand behind a * in the arguments, as in (x, h, *, W, U, b)"
    )
    assert "value.tanh cannot be part of an equation; use loopcell's functions: loopcell.tanh" in refused(method)
    assert "value.T cannot be part of an equation; use the operators and loopcell's functions" in refused(transposed)
    assert "a product with a parameter is written W.name @ value" in refused(layer)


def test_a_value_answers_hasattr_as_python_expects():
    @cell
    def curious(x, h, *, W):
        return tanh(W.h @ x) + (h if not hasattr(h, "numpy") and not callable(getattr(h, "T", None)) else 0)

    assert curious.text() == "h = tanh(W.h @ x) + h"


def test_only_functions_are_read():
    for other in (3, "gru", cells.get("gru")):
        assert refused(other).startswith("@cell reads a function of one step, def f(x, h, *, W, U, b); it was given ")


def test_a_foreign_operand():
    def foreign(x, h, *, W):
        return h + "one"

    assert "str cannot be an operand of add" in refused(foreign)


def test_wrong_returns():
    def number(x, h, *, W):
        return 3.0

    def too_many(x, h, *, W):
        return h, h, h

    assert refused(number) == "cell `number` returned float where a new state was expected; return h"
    expected = "cell `too_many` returned 3 value(s); it has 1 state(s): return h, or an output and then h"
    assert refused(too_many) == expected


def test_wrong_arguments():
    def stateless(x, *, W):
        return W.h @ x

    def starred(x, h, *states, W):
        return h

    assert "needs an input and at least one state" in refused(stateless)
    assert "*args and **kwargs cannot be read" in refused(starred)


def test_unknown_settings_and_namespaces():
    def leaky(x, h, *, W, rate=0.5):
        return rate * h + W.h @ x

    with pytest.raises(TraceError, match="cell `leaky` has no setting 'speed'; it has rate"):
        cell(speed=1.0)(leaky)
    with pytest.raises(TraceError, match="cell `leaky` has no namespace to initialise 'gain'; it has W"):
        cell(initial={"gain": "ones"})(leaky)


def test_values_of_two_cells_do_not_mix():
    kept = []

    @cell
    def first(x, h, *, W):
        kept.append(h)
        return tanh(W.h @ x + h)

    def second(x, h, *, W):
        return kept[0] + h

    assert "a value of another cell's equations appears here" in refused(second)


def test_calling_a_cell_with_data_says_what_to_use():
    with pytest.raises(TraceError, match=r"cell `rnn` describes one step; to run it over a sequence: Recurrent\(rnn"):
        cells.get("rnn")(1.0, 2.0)


def test_a_probability_out_of_range():
    def lucky(x, h, *, W):
        return h * bernoulli(h, 1.5, name="luck")

    assert refused(lucky) == "a probability lies between 0 and 1, not at 1.5"


def test_a_size_that_is_no_word():
    def narrow(x, h, *, P):
        return P.h @ sized(P.low @ h, "4 units")

    assert "'4 units' cannot name a size" in refused(narrow)


@pytest.mark.parametrize("power", [0, -1, 0.5])
def test_powers_are_whole(power):
    def powered(x, h, *, W):
        return h**power

    assert f"a power of {power!r} cannot be part of an equation" in refused(powered)


def test_squares_are_products():
    @cell
    def squared(x, h, *, W):
        return tanh(W.h @ x) ** 2 * h

    assert ShapeError is not TraceError
    assert squared.text() == "s1 = tanh(W.h @ x)\nh = s1 * s1 * h"


def test_functions_of_torch_and_numpy_are_refused_by_name():
    import numpy as np
    import torch

    def torchs(x, h, *, W):
        return torch.tanh(W.h @ x + h)

    def numpys(x, h, *, W):
        return np.exp(W.h @ x + h)

    def unknown(x, h, *, W):
        return torch.erf(W.h @ x + h)

    assert "torch.tanh cannot be part of an equation; use loopcell's functions: loopcell.tanh" in refused(torchs)
    assert "numpy.exp cannot be part of an equation; use loopcell's functions: loopcell.exp" in refused(numpys)
    assert refused(unknown).endswith("torch.erf cannot be part of an equation; use loopcell's functions")


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    @cell
    def scaled(x, h, *, W):
        return np.float32(2) * (W.h @ x) - h / np.float64(4)

    assert scaled.text() == "h = 2 * (W.h @ x) - h / 4"


def test_names_that_a_file_could_not_hold_are_refused_at_once():
    def gate(x, h, *, W):
        return tanh(getattr(W, "0") @ x + h)

    def draw(x, h, *, W):
        return h * bernoulli(h, 0.5, name="my mask")

    assert "'0' cannot name a parameter; use a word such as 'i'" in refused(gate)
    assert "'my mask' cannot name a draw; use a word such as 'mask'" in refused(draw)
    with pytest.raises(TraceError, match=r"'a\\nb' cannot be a cell's name; use one printable line"):
        cell(name="a\nb")(lambda x, h, *, W: tanh(W.h @ x) + h)


def test_numbers_are_finite():
    def infinite(x, h, *, W):
        return h * float("inf")

    assert "inf cannot stand in an equation; use a large number that is finite" in refused(infinite)


def test_comparisons_and_powers_that_do_not_exist():
    def at_least(x, h, *, W):
        return where(h >= 0, h, W.h @ x)

    def grown(x, h, *, W):
        return 2**h

    assert "a comparison with >= or <= cannot be part of an equation; use > or <" in refused(at_least)
    assert "a power with a traced exponent cannot be part of an equation; use exp and log" in refused(grown)


def test_functions_of_torch_on_lists_and_keywords():
    import torch

    def joined(x, h, *, W):
        return torch.cat([h, x])

    def clamped(x, h, *, W):
        return torch.clamp(input=h, min=0)

    assert "torch.cat cannot be part of an equation" in refused(joined)
    assert "torch.clamp cannot be part of an equation" in refused(clamped)


def test_an_unknown_start_is_refused():
    with pytest.raises(TraceError, match="parameters start as one of uniform, zeros, ones, not 'one'"):
        cell(initial={"W": "one"})(lambda x, h, *, W: tanh(W.h @ x) + h)


def test_two_different_draws_of_one_name():
    def twice(x, h, *, W):
        return bernoulli(h, 0.5, name="m") * h + bernoulli(h, 0.25, name="m")

    with pytest.raises(ShapeError, match="two different draws are named 'm'; give each a name of its own"):
        cell(twice)


def test_an_inlined_mean_is_over_what_came_in():
    @cell
    def normed(x, h, *, W):
        return tanh(W.h @ x + h + mean(x))

    @cell
    def outer(x, h, *, W, V):
        first = normed(x, h, W=W)[1]
        return normed(first, first, W=V)[1]

    sizes = [node.name for node in outer.graph.nodes if node.op == "size"]
    assert sizes == ["input", "hidden"]


def test_inlined_randomness_is_kept_and_drawn_apart():
    dropped, zoned = cells.weight_dropout(cells.get("rnn"), 0.5), cells.zoneout(cells.get("rnn"), 0.25)

    @cell
    def outer(x, h, *, W, U, b, V, Q, d):
        h = dropped(x, h, W=W, U=U, b=b)[1]
        h = zoned(h, h, W=V, U=Q, b=d)[1]
        return zoned(h, h, W=V, U=Q, b=d)[1]

    assert {node.name: node.value for _, node in outer.graph.leaves("parameter") if node.value} == {"U.h": 0.5}
    assert [node.name for _, node in outer.graph.leaves("random")] == ["zoneout_h", "zoneout_h_2"]


def test_zoneout_of_zoneout_has_two_draws():
    twice = cells.zoneout(cells.zoneout(cells.get("rnn"), 0.1), 0.9)
    assert [node.name for _, node in twice.graph.leaves("random")] == ["zoneout_h", "zoneout_h_2"]
