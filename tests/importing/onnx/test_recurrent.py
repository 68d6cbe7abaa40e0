"""Recurrent nodes with everything that the operators can be asked for, beside ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import helper

from loopcell.errors import FileFormatError
from loopcell.importing import from_onnx
from loopcell.importing.activations import ONNX
from tests.importing.onnx.models import recurrent

ACTIVATIONS = {"RNN": 1, "LSTM": 3, "GRU": 2}
KINDS = list(ACTIVATIONS)
BOTH = {"direction": "bidirectional", "directions": 2}


def runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, inputs)


def outputs(model, inputs):
    came = from_onnx(model).model({name: torch.as_tensor(value) for name, value in inputs.items()})
    return [tensor.detach().numpy() for tensor in came.values()]


def compare(op, **asked):
    model, inputs = recurrent(op, np.random.default_rng(7), **asked)
    for came, expected in zip(outputs(model, inputs), runtime(model, inputs), strict=True):
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(came, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", KINDS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("clip", [None, 0.4])
def test_directions_lengths_and_states(op, direction, clip):
    asked = {} if clip is None else {"clip": clip}
    directions = 2 if direction == "bidirectional" else 1
    compare(op, direction=direction, directions=directions, lengths=True, states=True, **asked)


@pytest.mark.parametrize("op", KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_every_activation(op, bias):
    """As the candidate, in the form that has its numbers; the gates stay bounded, so that no state runs away."""
    for name in ("Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "ScaledTanh", "Sigmoid", "Softplus", "Softsign",
                 "Tanh", "ThresholdedRelu"):  # fmt: skip
        numbers = len(ONNX[name.lower()].numbers)
        asked = {"activation_alpha": [0.3]} if numbers else {}
        asked |= {"activation_beta": [0.2]} if numbers > 1 else {}
        compare(op, bias=bias, activations=["Sigmoid", name, "Tanh"][(op == "RNN") :][: ACTIVATIONS[op]], **asked)


def test_every_row_of_the_table_is_tested():
    assert len(ONNX) == 11


@pytest.mark.parametrize("name", ["LeakyRelu", "HardSigmoid", "Elu"])
@pytest.mark.parametrize("op", KINDS)
def test_numbers_that_are_left_out_have_the_operators_defaults(op, name):
    compare(op, activations=["Sigmoid", name, "Tanh"][(op == "RNN") :][: ACTIVATIONS[op]])


@pytest.mark.parametrize("op", KINDS)
def test_each_direction_has_its_own_activations(op):
    first, second = ["Sigmoid", "ScaledTanh", "Softsign"], ["HardSigmoid", "Tanh", "ScaledTanh"]
    count = ACTIVATIONS[op]
    names = {"RNN": ["ScaledTanh", "HardSigmoid"]}.get(op, first[:count] + second[:count])
    numbers = [name for name in names if name in ("ScaledTanh", "HardSigmoid")]
    alphas, betas = [0.7, 0.3, 0.9][: len(numbers)], [0.6, 0.4, 0.8][: len(numbers)]
    model, inputs = recurrent(
        op, np.random.default_rng(1), activations=names, activation_alpha=alphas, activation_beta=betas, states=True,
        lengths=True, **BOTH,
    )  # fmt: skip
    for came, expected in zip(outputs(model, inputs), runtime(model, inputs), strict=True):
        np.testing.assert_allclose(came, expected, rtol=1e-5, atol=1e-5)
    networks = from_onnx(model).networks
    assert list(networks) == ["rec", "rec_reverse"]
    assert networks["rec"].cell.fingerprint != networks["rec_reverse"].cell.fingerprint


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("coupled", [0, 1])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("bias", [True, False])
def test_lstm_with_peepholes_coupled_gates_and_clip(peepholes, coupled, clip, bias):
    asked = {} if clip is None else {"clip": clip}
    compare("LSTM", peepholes=peepholes, input_forget=coupled, bias=bias, states=True, **asked)


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("bias", [True, False])
def test_gru_with_both_places_of_the_reset(after, clip, bias):
    asked = {} if clip is None else {"clip": clip}
    compare("GRU", linear_before_reset=after, bias=bias, lengths=True, **BOTH, **asked)


@pytest.mark.parametrize("op", KINDS)
def test_batch_first_is_the_other_layout_with_its_axes_turned(op):
    """ONNX Runtime has layout 0 alone; the same weights and numbers with turned axes have to give the same."""
    asked = {"lengths": True, "states": True, **BOTH}
    plain, inputs = recurrent(op, np.random.default_rng(3), **asked)
    turned, _ = recurrent(op, np.random.default_rng(3), layout=1, **asked)
    for name, initializer in {entry.name: entry for entry in turned.graph.initializer}.items():
        initializer.CopyFrom(next(entry for entry in plain.graph.initializer if entry.name == name))
    swapped = {name: value if value.ndim == 1 else np.swapaxes(value, 0, 1) for name, value in inputs.items()}
    came, expected = outputs(turned, swapped), runtime(plain, inputs)
    np.testing.assert_allclose(came[0], expected[0].transpose(2, 0, 1, 3), rtol=1e-5, atol=1e-5)
    for one, other in zip(came[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, np.swapaxes(other, 0, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "asked", "cell"),
    [
        ("RNN", {}, "rnn"),
        ("RNN", {"activations": ["Relu"]}, "rnn_relu"),
        ("LSTM", {}, "lstm"),
        ("LSTM", {"peepholes": True}, "lstm_peephole"),
        ("GRU", {}, "gru_keeps_before"),
        ("GRU", {"linear_before_reset": 1}, "gru"),
        ("LSTM", {"clip": 3.0}, "without(lstm_imported)"),
    ],
)
def test_what_the_library_has_goes_by_its_name(op, asked, cell):
    model, _ = recurrent(op, np.random.default_rng(0), **asked)
    assert from_onnx(model).network.cell.name == cell


def change(model, **attributes):
    for name, value in attributes.items():
        model.graph.node[0].attribute.append(helper.make_attribute(name, value))
    return model


@pytest.mark.parametrize(
    ("op", "attributes", "sentence"),
    [
        ("RNN", {"activations": ["Gelu"]}, "has the activation 'Gelu'; ONNX's are affine, elu,"),
        ("LSTM", {"activations": ["Tanh"]}, "has 1 activations, and LSTM needs 3 a direction"),
        ("RNN", {"activation_alpha": [0.5]}, "has 1 numbers too many in activation_alpha"),
        ("RNN", {"activations": ["Affine"]}, "has no number in activation_alpha for Affine, which has no default"),
        ("RNN", {"activations": ["ThresholdedRelu"]}, "for ThresholdedRelu, which has no default"),
        ("GRU", {"clip": -1.0}, "has clip=-1.0, which is no bound"),
        ("GRU", {"direction": "sideways"}, "has direction='sideways'; it is one of forward, reverse, bidirectional"),
        ("GRU", {"direction": "bidirectional"}, "`R` of the GRU node `rec` of the model is [1, 18, 6], not [2,"),
        ("GRU", {"layout": 2}, "has layout=2, which is neither 0 nor 1"),
        ("GRU", {"linear_before_reset": 4}, "linear_before_reset=4 of the GRU node `rec` of the model is neither true"),
    ],
)  # fmt: skip
def test_what_is_off_is_refused_in_a_sentence(op, attributes, sentence):
    model, _ = recurrent(op, np.random.default_rng(0))
    with pytest.raises(FileFormatError) as caught:
        from_onnx(change(model, **attributes))
    assert sentence in str(caught.value)


def test_a_hidden_size_that_the_weights_have_not():
    model, _ = recurrent("RNN", np.random.default_rng(0))
    model.graph.node[0].attribute[0].i = 5
    with pytest.raises(FileFormatError, match="has hidden_size=5, and weights of 6 units"):
        from_onnx(model)
