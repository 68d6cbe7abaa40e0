"""Keras layers of every setting that is read, beside Keras itself."""

import numpy as np
import pytest
import torch

from loopcell.errors import FileFormatError
from loopcell.importing import from_keras
from loopcell.importing.activations import KERAS
from loopcell.importing.keras.layers import LAYERS
from tests.importing.keras.library import keras

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 6, 4)).astype(np.float32)


def filled(model):
    """Draw every weight, biases too, which Keras starts at 0."""
    rng = np.random.default_rng(1)
    model.set_weights([(rng.standard_normal(weight.shape) / 2).astype(np.float32) for weight in model.get_weights()])
    return model


def sequential(*layers, features=(None, 4)):
    return filled(keras.Sequential([keras.Input(features), *layers]))


def compare(model, path, x=X):
    model.save(path)
    imported = from_keras(path)
    came, states = imported.model(torch.as_tensor(x))
    with torch.no_grad():
        expected = model(x, training=False).cpu().numpy()
    assert came.shape == expected.shape
    np.testing.assert_allclose(came.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    assert set(states) == set(imported.networks)
    return imported


@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_layers(kind, sequences, backwards, bias, tmp_path):
    layer = kind(5, return_sequences=sequences, go_backwards=backwards, use_bias=bias, name="rec")
    imported = compare(sequential(layer), tmp_path / "model.keras")
    assert list(imported.networks) == ["rec"]


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gru_with_both_places_of_the_reset(after, bias, tmp_path):
    imported = compare(sequential(L.GRU(5, reset_after=after, use_bias=bias)), tmp_path / "model.keras")
    expected = "gru" if after else "gru_keeps_before"
    assert imported.network.cell.name == (expected if bias else f"without({expected})")


@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU])
@pytest.mark.parametrize("sequences", [True, False])
def test_both_directions(kind, sequences, tmp_path):
    compare(sequential(L.Bidirectional(kind(5, return_sequences=sequences))), tmp_path / "model.keras")


@pytest.mark.parametrize("name", KERAS)
def test_every_activation(name, tmp_path):
    """In a cell, of gates and candidate; beside it in a dense layer: so both spellings of the table meet Keras."""
    layers = [
        L.SimpleRNN(4, activation=name, return_sequences=True),
        L.LSTM(4, activation=name, return_sequences=True),
        L.GRU(4, activation="tanh", recurrent_activation=name),
        L.Dense(3, activation=name),
    ]
    model = sequential(*layers)
    model.set_weights([weight / 3 for weight in model.get_weights()])  # an exponential cell runs away otherwise
    compare(model, tmp_path / "model.keras", X[:, :3] / 3)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "gelu"])
def test_activations_of_dense_layers_alone(name, tmp_path):
    compare(sequential(L.LSTM(4), L.Dense(3, activation=name)), tmp_path / "model.keras")
    model = sequential(L.LSTM(4, activation=name))
    model.save(tmp_path / "cell.keras")
    with pytest.raises(
        FileFormatError, match=f"activation='{name}', which is not read inside a cell; read are `linear`"
    ):
        from_keras(tmp_path / "cell.keras")


def test_a_stack_of_everything(tmp_path):
    model = filled(
        keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                L.Embedding(9, 4),
                L.Dropout(0.3),
                L.Bidirectional(L.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1), name="both"),
                L.TimeDistributed(L.Dense(6, activation="relu")),
                L.GRU(5, go_backwards=True, kernel_regularizer="l2"),
                L.Activation("tanh"),
                L.Dense(3),
                L.Activation("softmax"),
            ]
        )
    )
    symbols = RNG.integers(0, 9, (3, 7)).astype(np.int32)
    imported = compare(model, tmp_path / "model.keras", symbols)
    assert set(LAYERS) - {"SimpleRNN"} <= {type(layer).__name__ for layer in model._layers} | {"LSTM"}
    words = " ".join(imported.left_out)
    for word in (
        "dropout=0.2 of the LSTM in layer `both`",
        "recurrent_dropout=0.1",
        "kernel_regularizer of layer `gru",
    ):
        assert word in words
    assert isinstance(imported.model.layers[1], torch.nn.Dropout)


def test_a_functional_model_whose_layers_follow_one_another(tmp_path):
    inputs = keras.Input((None, 4))
    hidden = L.LSTM(5, return_sequences=True)(inputs)
    model = filled(keras.Model(inputs, L.Dense(2)(L.GRU(3)(hidden))))
    for ending in ("keras", "h5"):
        compare(model, tmp_path / f"model.{ending}")


def test_states_go_in_and_out(tmp_path):
    model = sequential(L.LSTM(5, return_sequences=True), L.GRU(3, return_sequences=True))
    imported = compare(model, tmp_path / "model.keras")
    x = torch.as_tensor(X)
    whole, _ = imported.model(x)
    first, states = imported.model(x[:, :2])
    second, _ = imported.model(x[:, 2:], states)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)


def test_what_was_frozen_stays_frozen(tmp_path):
    layer = L.GRU(3, return_sequences=True)
    model = sequential(layer, L.Dense(2))
    layer.trainable = False
    imported = compare(model, tmp_path / "model.keras")
    assert not any(parameter.requires_grad for parameter in imported.network.parameters())
    assert all(parameter.requires_grad for parameter in imported.model.layers[1].parameters())


def branched():
    inputs = keras.Input((None, 4))
    return keras.Model(inputs, L.Concatenate()([L.LSTM(2)(inputs), L.GRU(2)(inputs)]))


def with_initial_state():
    inputs, start = keras.Input((None, 4)), keras.Input((5,))
    return keras.Model([inputs, start], L.GRU(5)(inputs, initial_state=start))


def two_outputs():
    inputs = keras.Input((None, 4))
    hidden = L.GRU(5, return_sequences=True)(inputs)
    return keras.Model(inputs, [hidden, L.Dense(1)(hidden)])


@keras.saving.register_keras_serializable("mine")
class LSTM(L.LSTM):
    """A class of somebody's own, under the name of Keras'."""


@keras.saving.register_keras_serializable("mine")
def squared(x):
    return x * x


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: sequential(L.Conv1D(3, 2), L.GRU(3)), "`conv1d` of .* is of the class Conv1D, which is not read"),
        (lambda: sequential(L.Bidirectional(L.GRU(3), merge_mode="sum")), "merge_mode='sum', and only directions"),
        (lambda: sequential(L.Masking(), L.GRU(3)), "of the class Masking"),
        (lambda: keras.Sequential([keras.Input((None,)), L.Embedding(5, 4, mask_zero=True), L.GRU(3)]),
         "mask_zero=True, and skips steps"),
        (lambda: keras.Sequential([keras.Input((None, 4), batch_size=2), L.GRU(3, stateful=True)]), "stateful=True"),
        (lambda: sequential(L.Bidirectional(L.GRU(3), backward_layer=L.GRU(3, activation="relu", go_backwards=True))),
         "has two layers of different equations"),
        (lambda: sequential(LSTM(3)), "is a class of its own"),
        (lambda: sequential(L.GRU(3, activation=squared)), "a function that is none of Keras'"),
        (lambda: sequential(L.Dense(3)), "has no recurrent layer"),
        (lambda: sequential(L.TimeDistributed(L.LSTM(3)), features=(None, 5, 4)), "wraps 'LSTM'; read is `Dense`"),
        (lambda: sequential(L.Bidirectional(L.LSTM(3)), L.Lambda(lambda x: x)), "of the class Lambda"),
        (branched, "not the layer before it alone|reads"),
        (with_initial_state, "reads"),
        (two_outputs, "returns `gru[_0-9]*`, `dense[_0-9]*`, not the last layer alone"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(make, sentence, tmp_path):
    make().save(tmp_path / "model.keras")
    with pytest.raises(FileFormatError, match=sentence):
        from_keras(tmp_path / "model.keras")
