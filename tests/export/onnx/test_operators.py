"""A standard operator where the equations are its own, however they are written and called; a loop everywhere else."""

# ruff: noqa: RET504 - a cell names the state that it returns

import pytest

from loopcell import cell, cells, relu, sigmoid, tanh
from loopcell.cells.modifiers import zoneout
from loopcell.export.drawn import drawn
from loopcell.export.onnx.operators import operator_of
from loopcell.export.onnx.write import to_onnx
from loopcell.export.step_model import StepRun
from tests.export.onnx.models import model_of, network_of

OPERATORS = {
    "rnn": "RNN",
    "rnn_relu": "RNN",
    "lstm": "LSTM",
    "lstm_peephole": "LSTM",
    "lstm_coupled": "LSTM",
    "gru": "GRU",
    "gru_keeps_before": "GRU",
    "gru_lets_before": "GRU",
    "gru_lets_after": "GRU",
    "mgu": "GRU",  # one whose two gates are the same
}


@cell
def lstm_in_other_words(x, hid, mem, *, A, R, k):
    """An LSTM by somebody who knows none of our names: other order, two biases, a bias of one in the forget gate."""
    keep = sigmoid(1 + k.keep + R.keep @ hid + A.keep @ x)
    show = sigmoid(R.show @ hid + (k.show + A.show @ x) - k.more)
    write = sigmoid(A.write @ x + R.write @ hid)
    new = tanh(R.new @ hid + A.new @ x + k.new)
    mem = new * write + mem * keep
    return tanh(mem) * show, mem


@cell
def lstm_with_the_cell_state_first(x, c, h, *, W, U, b):
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * tanh(W.g @ x + U.g @ h + b.g)
    h = o * tanh(c)
    return h, c, h


@cell
def lstm_with_one_input_gate(x, h, c, *, W, U, b):
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    c = c + i * (tanh(W.g @ x + U.g @ h + b.g) - c)
    h = sigmoid(W.o @ x + U.o @ h + b.o) * tanh(c)
    return h, c


@cell
def lstm_with_a_peephole_of_the_output_gate_alone(x, h, c, *, W, U, b, p):
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    c = f * c + i * tanh(W.g @ x + U.g @ h + b.g)
    h = sigmoid(W.o @ x + U.o @ h - p.o * c) * tanh(c)
    return h, c


@cell
def gru_as_a_step_towards_the_candidate(x, h, *, W, U, b):
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    h = h + z * (tanh(W.n @ x + U.n @ (h * r) + b.n) - h)
    return h


@cell
def gru_without_inner_bias(x, h, *, W, U, b):
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    n = tanh(r * (U.n @ h) + W.n @ x + b.n)
    h = n - z * n + z * h
    return h


@cell
def rnn_without_bias(x, h, *, W, U):
    h = tanh(U.h @ h + W.h @ x - W.more @ x)
    return h


WRITTEN = [
    (lstm_in_other_words, "LSTM"),
    (lstm_with_the_cell_state_first, "LSTM"),
    (lstm_with_one_input_gate, "LSTM"),
    (lstm_with_a_peephole_of_the_output_gate_alone, "LSTM"),
    (gru_as_a_step_towards_the_candidate, "GRU"),
    (gru_without_inner_bias, "GRU"),
    (rnn_without_bias, "RNN"),
]


@cell
def almost_lstm_output_before_update(x, h, c, *, W, U, b):
    """The output shows the cell state before the step."""
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    h = o * tanh(c)
    c = f * c + i * tanh(W.g @ x + U.g @ h + b.g)
    return h, c


@cell
def almost_lstm_gate_without_past(x, h, c, *, W, U, b):
    i = sigmoid(W.i @ x + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * tanh(W.g @ x + U.g @ h + b.g)
    h = o * tanh(c)
    return h, c


@cell
def almost_lstm_peephole_of_the_wrong_time(x, h, c, *, W, U, b, p):
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    o = sigmoid(W.o @ x + U.o @ h + p.o * c)
    c = f * c + i * tanh(W.g @ x + U.g @ h + b.g)
    h = o * tanh(c)
    return h, c


@cell
def almost_gru_two_reset_gates(x, h, *, W, U, b):
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    s = sigmoid(W.s @ x + U.s @ h + b.s)
    h = (1 - z) * tanh(W.n @ x + U.n @ (r * h) + U.m @ (s * h)) + z * h
    return h


@cell
def almost_gru_relu(x, h, *, W, U, b):
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    h = (1 - z) * relu(W.n @ x + U.n @ (r * h) + b.n) + z * h
    return h


@cell
def almost_rnn_output_is_no_state(x, h, *, W, U, V):
    h = tanh(W.h @ x + U.h @ h)
    return V.y * h, h


OTHERS = [
    almost_lstm_output_before_update,
    almost_lstm_gate_without_past,
    almost_lstm_peephole_of_the_wrong_time,
    almost_gru_two_reset_gates,
    almost_gru_relu,
    almost_rnn_output_is_no_state,
    zoneout("lstm", 0.1),
]


def operator_name(net):
    found = operator_of(model_of(net).stages[0])
    return found and found.name


@pytest.mark.parametrize("name", cells.names())
def test_registered_cells_are_operators_where_their_equations_are(name):
    assert operator_name(network_of(name)) == OPERATORS.get(name)


@pytest.mark.parametrize(("own", "operator"), WRITTEN, ids=lambda given: getattr(given, "name", ""))
def test_a_users_equations_are_recognised_and_mapped(own, operator, tmp_path):
    net = network_of(own)
    assert operator_name(net) == operator
    for form in ("step", "sequence"):
        assert max(to_onnx(model_of(net), tmp_path / "m.onnx", form=form).errors.values()) < 2e-6


@pytest.mark.parametrize("own", OTHERS, ids=lambda own: own.name)
def test_equations_that_only_look_like_an_operator_are_a_loop(own, tmp_path):
    net = network_of(own)
    assert operator_name(net) is None
    to_onnx(model_of(net), tmp_path / "m.onnx", form="sequence")


def test_dropout_of_evaluation_leaves_the_operator(tmp_path):
    from loopcell.cells.modifiers import recurrent_dropout

    net = network_of(recurrent_dropout(cells.get("lstm"), 0.2))
    assert operator_name(net) == "LSTM"


def test_the_check_would_see_a_gate_in_the_wrong_place(tmp_path, monkeypatch):
    """Every weight matters: with two gates of the operator exchanged nothing is written."""
    from loopcell.errors import CheckFailed
    from loopcell.export.onnx import layers

    original = layers.write_operator

    def exchanged(writer, operator, x, states):
        hidden = operator.hidden
        order = [1, 0, 2, 3]
        operator.W[:] = operator.W.reshape(1, 4, hidden, -1)[:, order].reshape(operator.W.shape)
        return original(writer, operator, x, states)

    monkeypatch.setattr("loopcell.export.onnx.stages.write_operator", exchanged)
    with pytest.raises(CheckFailed, match=r"stepped: the output 'layer2' is .* at step 1 of 9"):
        to_onnx(model_of(network_of("lstm")), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_the_first_step_of_an_lstm_by_hand():
    """The numbers that all is held against, for one unit: i = f = o = sigmoid(0), g = tanh(x)."""
    import math

    net = network_of("lstm", layers=1)
    for weight in net.parameters():
        weight.data.zero_()
    model = model_of(net)
    model.stages[0].parameters["W.g"][:, 0] = 1.0
    x = {name: value[0] for name, value in drawn(model, 1).items()}
    expected = 0.5 * math.tanh(0.5 * math.tanh(x["x"][0]))
    assert StepRun(model).step(**x)["layer1"] == pytest.approx([expected] * 5)
