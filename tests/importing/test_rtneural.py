"""RTNeural's JSON, whose weights are Keras' own, beside Keras."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import loopcell
from loopcell.errors import FileFormatError, InputError
from loopcell.importing import from_keras, from_rtneural, to_rtneural
from tests.importing.keras.library import keras

L = keras.layers
X = np.random.default_rng(0).standard_normal((2, 7, 3)).astype(np.float32)


def model_of_keras():
    rng = np.random.default_rng(1)
    layers = [
        L.TimeDistributed(L.Dense(4, activation="tanh")), L.GRU(5, return_sequences=True),
        L.LSTM(4, return_sequences=True), L.Dense(3, activation="elu"), L.Dense(2, activation="softmax"),
    ]  # fmt: skip
    made = keras.Sequential([keras.Input((None, 3)), *layers])
    made.set_weights([rng.standard_normal(weight.shape).astype(np.float32) / 2 for weight in made.get_weights()])
    return made


def as_rtneural(model):
    """Return the JSON of a Keras model as RTNeural's script describes it: type, activation, output shape, weights."""
    kinds = {"TimeDistributed": "time-distributed-dense"}
    layers = []
    for layer in model.layers:
        name = type(layer).__name__
        function = getattr(layer.layer if name == "TimeDistributed" else layer, "activation", None)
        activation = "" if function is None else function.__name__
        layers.append(
            {
                "type": kinds.get(name, name.lower()),
                "activation": activation,
                "shape": list(layer.output.shape),
                "weights": [weight.tolist() for weight in layer.get_weights()],
            }
        )
    return {"in_shape": list(model.input_shape), "layers": layers}


def test_a_model_gives_kerass_numbers(tmp_path):
    model = model_of_keras()
    (tmp_path / "model.json").write_text(json.dumps(as_rtneural(model)))
    imported = from_rtneural(tmp_path / "model.json")
    with torch.no_grad():
        expected = model(X).cpu().numpy()
    np.testing.assert_allclose(imported.model(torch.as_tensor(X))[0].detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert {name: net.cell.name for name, net in imported.networks.items()} == {"gru_1": "gru", "lstm_2": "lstm"}


def test_what_is_written_are_kerass_weights(tmp_path):
    """From Keras to RTNeural: the numbers of the file are those that Keras itself has."""
    model = keras.Sequential([keras.Input((None, 3)), L.GRU(4, return_sequences=True), L.LSTM(5, return_sequences=True),
                              L.Dense(2, activation="relu")])  # fmt: skip
    rng = np.random.default_rng(1)
    model.set_weights([rng.standard_normal(weight.shape).astype(np.float32) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    to_rtneural(from_keras(tmp_path / "model.keras").model, tmp_path / "model.json")
    written, expected = json.loads((tmp_path / "model.json").read_text()), as_rtneural(model)
    assert written["in_shape"] == expected["in_shape"]
    for came, asked in zip(written["layers"], expected["layers"], strict=True):
        assert (came["type"], came["shape"][-1]) == (asked["type"], asked["shape"][-1])
        assert came["activation"] == (asked["activation"] if asked["type"] == "dense" else "")
        pairs = list(zip(map(np.array, came["weights"]), map(np.array, asked["weights"]), strict=True))
        if came["type"] == "gru":  # of z and r the sum of both biases alone matters
            one, other = pairs.pop()
            pairs += [(one.sum(0)[:8], other.sum(0)[:8]), (one[:, 8:], other[:, 8:])]
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("net", [loopcell.LSTM(3, 4, 3, batch_first=True), loopcell.GRU(3, 4, 2, batch_first=True),
                                 loopcell.Recurrent("gru", 3, 4, batch_first=True),
                                 loopcell.GRU(3, 4, bias=False, batch_first=True)], ids=repr)  # fmt: skip
def test_there_and_back(net, tmp_path):
    """A network of several layers is written whole: one layer of the file for each."""
    head = nn.Linear(4, 2, bias=False)
    to_rtneural([net, nn.Dropout(0.5), head, nn.Tanh()], tmp_path / "model.json")
    imported = from_rtneural(tmp_path / "model.json")
    x = torch.as_tensor(X)
    assert torch.allclose(imported.model(x)[0], torch.tanh(head(net(x)[0])), atol=1e-6)
    assert len(imported.networks) == net.num_layers


def entry(kind="lstm", place=0, **entries):
    content = {"in_shape": [None, None, 1], "layers": [{"type": kind, "activation": "", "shape": [None, 1],
               "weights": [[[0.0] * 4], [[0.0] * 4], [0.0] * 4]}]}  # fmt: skip
    content = copy.deepcopy(content)
    content["layers"][place] |= entries
    return content


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (entry("conv1d"), "layer 0 of the model is of type 'conv1d'; read are `lstm`, `gru`, `dense`"),
        (entry(kernel_size=3), r"layer 0 \(lstm\) of the model has `kernel_size`, of which the importer makes nothing"),
        (entry(activation="relu"), "has activation='relu', and RTNeural computes tanh whatever stands there"),
        (entry(weights=[[[0.0] * 4]]), "has 1 weights, not 3"),
        (entry(weights=3), "has no list of weights, not 3"),
        (entry(weights=[[[0.0] * 3], [[0.0] * 4], [0.0] * 4]), r"the kernel of .* is not a list of numbers \[1, 4\]"),
        (entry(weights=[[[0.0] * 4], [[0.0] * 4], ["a"] * 4]), r"the bias of .* is not a list of numbers \[4\]"),
        (entry(weights=[[[True] * 4], [[0.0] * 4], [0.0] * 4]), r"the kernel of .* is not a list of numbers"),
        (entry(shape=[None, 1 << 40]), "is not a whole number from 1 to"),
        (entry(shape=None), "is not a whole number"),
        (entry() | {"more": 1}, "the model has `more`"),
        (entry() | {"layers": 3}, "has layers=3, which is no list of layers"),
        (entry("dense", weights=[[[1.0]], [0.0]]), "the model has no recurrent layer"),
        (entry("dense", weights=[[[1.0]], [0.0]], activation="prelu"), "activation='prelu'; RTNeural's are `tanh`"),
        ({"layers": []}, "the model has no 'in_shape'"),
    ],
)
def test_what_is_off_is_named(content, sentence):
    with pytest.raises(FileFormatError, match=sentence):
        from_rtneural(content)


def test_a_layer_that_is_an_activation_alone():
    content = entry()
    content["layers"].append({"type": "activation", "activation": "sigmoid", "shape": [None, 1], "weights": []})
    assert from_rtneural(content).model(torch.zeros(1, 2, 1))[0].flatten().tolist() == [0.5, 0.5]


def test_what_cannot_be_written(tmp_path):
    net = loopcell.LSTM(1, 3)
    for model, sentence in (
        ([net, nn.Linear(4, 1)], "a layer of 4 inputs follows one of 3 outputs"),
        ([net, nn.Tanh()], "Tanh cannot be written: RTNeural has LSTM, GRU and dense layers"),
        ([net, nn.Linear(3, 1), nn.ELU()], "ELU cannot be written"),
        ([nn.Linear(3, 1)], "the model has no recurrent network"),
        ([loopcell.Recurrent("mgu", 1, 3)], "the network's cell is `mgu`; these files have the equations of"),
    ):
        with pytest.raises(InputError, match=sentence):
            to_rtneural(model, tmp_path / "no.json")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(FileFormatError, match="is not a model of RTNeural, or not a whole one"):
        from_rtneural(tmp_path / "model.json")
