"""Keras layers as modules: recurrent ones as networks, with the equations that their configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from loopcell.equations import Cell
from loopcell.errors import FileFormatError, escaped, quoted
from loopcell.importing import written_cells
from loopcell.importing.activations import KERAS, Activated
from loopcell.importing.building import FLOATS, check_shape, gatewise, linear_of, network_of, without_spaces
from loopcell.importing.chain import LastStep, TimeReversed
from loopcell.importing.contents import Contents, listed
from loopcell.importing.keras.config import OF_TRAINING, activation_of, common, named_activation

_DENSE = {name: activation.function for name, activation in KERAS.items()} | {
    "softmax": lambda x: functional.softmax(x, -1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "gelu": functional.gelu,
}
"""Activations of layers that are no cell; among them some that no cell's equations have."""

_SEEDS = "seed_generator"


@dataclass
class KerasLayer:
    """A layer that is being read.

    Attributes:
        name: the layer's.
        kind: its class.
        config: each entry of which has to be taken.
        weights: in the order of Keras; those that are taken are gone.
        version: of the Keras that wrote the file, "" where nothing says.
        left_out: words about what acts in training alone.
    """

    name: str
    kind: str
    config: Contents
    weights: dict[str, Tensor]
    version: str
    left_out: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The layer, as the start of a sentence."""
        return self.config.where

    def weight(self, what: str) -> Tensor:
        """Return the next weight.

        Raises:
            FileFormatError: there is none left, or it is no float.
        """
        if not self.weights:
            raise FileFormatError(f"{self.where} has no {what} among its weights")
        tensor = self.weights.pop(next(iter(self.weights)))
        if tensor.dtype not in FLOATS:
            raise FileFormatError(f"the {what} of {self.where} is {tensor.dtype}, no float")
        return tensor

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            FileFormatError: an entry or a weight is left over; the message names it.
        """
        seeds = [path for path in self.weights if _SEEDS in path.split("/")]
        self.left_out += [f"{path}: the state of a random generator" for path in seeds]
        left = [path for path in self.weights if path not in seeds]
        if left:
            raise FileFormatError(f"{self.where} has {listed(left)}, of which the importer makes nothing")
        self.config.finish()


Modules = dict[str, nn.Module]


@dataclass(frozen=True)
class _Equations:
    """A recurrent layer's cell, and how its weights are packed."""

    gates: tuple[str, ...]
    cell: Cell
    bias_rows: int = 1  # two where the biases of input and past stand apart
    inner_gate: str = ""  # the gate whose two biases the equations have apart


def _simple_rnn(layer: KerasLayer) -> _Equations:
    return _Equations(("h",), written_cells.rnn_cell(activation_of(layer.config, "activation", layer.version, "tanh")))


def _lstm(layer: KerasLayer) -> _Equations:
    act, gate = _activations(layer)
    return _Equations(("i", "f", "g", "o"), written_cells.lstm_cell(gate, act, act))


def _gru(layer: KerasLayer) -> _Equations:
    act, gate = _activations(layer)
    if layer.config.flag("reset_after", not layer.version.startswith("1.")):
        return _Equations(("z", "r", "n"), written_cells.gru_after_cell(gate, act), 2, "n")
    return _Equations(("z", "r", "n"), written_cells.gru_before_cell(gate, act))


def _activations(layer: KerasLayer) -> tuple[Any, Any]:
    return (
        activation_of(layer.config, "activation", layer.version, "tanh"),
        activation_of(layer.config, "recurrent_activation", layer.version, "sigmoid"),
    )


RECURRENT: dict[str, Callable[[KerasLayer], _Equations]] = {"SimpleRNN": _simple_rnn, "LSTM": _lstm, "GRU": _gru}


@dataclass(frozen=True)
class _Direction:
    """One direction of a recurrent layer, read."""

    cell: Cell
    weights: dict[str, Tensor]
    backwards: bool
    sequences: bool


def _direction(layer: KerasLayer) -> _Direction:
    """Read a recurrent layer's configuration and weights."""
    config = layer.config
    equations = RECURRENT[layer.kind](layer)
    hidden = config.whole("units")
    layer.left_out += common(config)
    config.expect("return_state", False, why="and returns its state beside its output: save it with False")
    config.expect(
        "stateful", False, why="and keeps its state between calls, which goes in and out here: save it with False"
    )
    config.expect("time_major", False, why="and has time as the first axis, which is not read")
    for name in ("dropout", "recurrent_dropout"):
        rate = config.take_or(name, 0.0)
        if rate:
            layer.left_out.append(f"{name}={rate} of {layer.where}, which acts in training alone")
    weights = _packed_weights(layer, equations, hidden, config.flag("use_bias", True))
    cell = without_spaces(equations.cell, weights)
    backwards, sequences = config.flag("go_backwards", False), config.flag("return_sequences", False)
    config.finish()
    return _Direction(cell, weights, backwards, sequences)


def _packed_weights(layer: KerasLayer, equations: _Equations, hidden: int, use_bias: bool) -> dict[str, Tensor]:
    """Return the weights by the names of the equations: Keras has them as [inputs, gates * units]."""
    width = hidden * len(equations.gates)
    kernel, recurrent = layer.weight("kernel"), layer.weight("recurrent kernel")
    check_shape(layer.where, "kernel", kernel, None, width)
    check_shape(layer.where, "recurrent_kernel", recurrent, hidden, width)
    named = gatewise("W", equations.gates, kernel.T) | gatewise("U", equations.gates, recurrent.T)
    if not use_bias:
        return named
    bias = layer.weight("bias")
    check_shape(layer.where, "bias", bias, *([2, width] if equations.bias_rows == 2 else [width]))
    if equations.bias_rows == 1:
        return named | gatewise("b", equations.gates, bias)
    outer, inner = (gatewise("b", equations.gates, row) for row in bias)
    for gate in equations.gates:
        if gate == equations.inner_gate:
            named |= {f"b.{gate}": outer[f"b.{gate}"], f"d.{gate}": inner[f"b.{gate}"]}
        else:
            named[f"b.{gate}"] = outer[f"b.{gate}"] + inner[f"b.{gate}"]
    return named


def recurrent(layer: KerasLayer) -> Modules:
    """Return an RNN, LSTM or GRU, with what turns its input round or takes its last output."""
    read = _direction(layer)
    net = network_of(layer.where, read.cell, [[read.weights]], batch_first=True)
    before = {f"{layer.name}.reversed": TimeReversed()} if read.backwards else {}
    after = {} if read.sequences else {f"{layer.name}.last": LastStep(1)}
    return {**before, layer.name: net, **after}


def bidirectional(layer: KerasLayer) -> Modules:
    """Return a network that reads in both directions."""
    config = layer.config
    layer.left_out += common(config)
    config.expect("merge_mode", "concat", why="and only directions that are joined end to end (concat) are read")
    forward = _inner(layer, config.take("layer"))
    other = config.take_or("backward_layer", None)
    # Keras 2 writes no second configuration where it is the first one read backwards.
    backward = _inner(layer, other or _turned(forward))
    first = _direction(forward)
    backward.weights = forward.weights
    second = _direction(backward)
    layer.left_out += forward.left_out + backward.left_out
    layer.weights = backward.weights
    if first.cell.fingerprint != second.cell.fingerprint or first.sequences != second.sequences:
        raise FileFormatError(f"{layer.where} has two layers of different equations, which is not read")
    if first.backwards or not second.backwards:
        raise FileFormatError(f"{layer.where} has a forward layer that reads backwards, which is not read")
    net = network_of(layer.where, first.cell, [[first.weights, second.weights]], batch_first=True)
    return {layer.name: net, **({} if first.sequences else {f"{layer.name}.last": LastStep(2)})}


def _inner(layer: KerasLayer, config: Any) -> KerasLayer:
    kind = config.get("class_name") if isinstance(config, dict) else None
    if kind not in RECURRENT or not isinstance(config.get("config"), dict):
        raise FileFormatError(f"{layer.where} wraps {quoted(kind)}; read are {listed(RECURRENT)}")
    inner = Contents(f"the {kind} in {layer.where}", config["config"])
    return KerasLayer(layer.name, str(kind), inner, layer.weights, layer.version)


def _turned(forward: KerasLayer) -> Mapping[str, Any]:
    entries = forward.config.entries() | {"go_backwards": True}
    return {"class_name": forward.kind, "config": entries}


def dense(layer: KerasLayer) -> Modules:
    """Return a linear layer and its activation; over sequences it acts at every step, as Keras' does."""
    units, use_bias = layer.config.whole("units"), layer.config.flag("use_bias", True)
    layer.left_out += common(layer.config)
    kernel = layer.weight("kernel")
    check_shape(layer.where, "kernel", kernel, None, units)
    bias = layer.weight("bias") if use_bias else None
    if bias is not None:
        check_shape(layer.where, "bias", bias, units)
    return {layer.name: linear_of(kernel.T, bias), **_activated(layer, f"{layer.name}.activation")}


def _activated(layer: KerasLayer, name: str) -> Modules:
    found = named_activation(layer.config, "activation", "linear")
    if found == "hard_sigmoid":
        activation_of(Contents(layer.where, {"activation": found}), "activation", layer.version, "linear")
    if found not in _DENSE:
        raise FileFormatError(
            f"{layer.where} has activation={quoted(found)}, which is not read; read are {listed(_DENSE)}"
        )
    return {} if found == "linear" else {name: Activated(found, _DENSE[found])}


def activation(layer: KerasLayer) -> Modules:
    """Return a layer that is an activation alone."""
    layer.left_out += common(layer.config)
    return _activated(layer, layer.name) or {layer.name: nn.Identity()}


def embedding(layer: KerasLayer) -> Modules:
    """Return a table of vectors."""
    rows, width = layer.config.whole("input_dim"), layer.config.whole("output_dim")
    layer.left_out += common(layer.config)
    layer.config.expect(
        "mask_zero", False, why="and skips steps of symbol 0: pass lengths to the network, and save it with False"
    )
    layer.config.take_or("input_length", None)
    layer.config.expect("weights", None, why="which is not read")
    table = layer.weight("embeddings")
    check_shape(layer.where, "embeddings", table, rows, width)
    return {layer.name: nn.Embedding.from_pretrained(table, freeze=False)}  # type: ignore[no-untyped-call]  # torch's


def dropout(layer: KerasLayer) -> Modules:
    """Return a layer that drops in training."""
    layer.left_out += common(layer.config)
    rate = layer.config.take("rate")
    layer.config.expect("noise_shape", None, why="and drops whole axes, which is not read")
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise FileFormatError(f"{layer.where} has rate={quoted(rate)}, which is no probability")
    return {layer.name: nn.Dropout(rate)}


def input_layer(layer: KerasLayer) -> Modules:
    """Take the words about the input; a network learns its width from the weights."""
    layer.config.take_all(("name", "dtype", "batch_shape", "shape", *OF_TRAINING))
    layer.config.expect("sparse", False, why="and a sparse input is not read")
    layer.config.expect("ragged", False, why="and a ragged input is not read")
    return {}


def time_distributed(layer: KerasLayer) -> Modules:
    """Return a dense layer; PyTorch's acts at every step as it is."""
    layer.left_out += common(layer.config)
    inner = layer.config.take("layer")
    kind = inner.get("class_name") if isinstance(inner, dict) else None
    if kind != "Dense" or not isinstance(inner.get("config"), dict):
        raise FileFormatError(f"{layer.where} wraps {quoted(kind)}; read is `Dense`")
    contents = Contents(f"the Dense in {layer.where}", inner["config"])
    made = KerasLayer(layer.name, "Dense", contents, layer.weights, layer.version, layer.left_out)
    modules = dense(made)
    contents.finish()
    return modules


LAYERS: dict[str, Callable[[KerasLayer], Modules]] = {
    "Activation": activation,
    "Bidirectional": bidirectional,
    "Dense": dense,
    "Dropout": dropout,
    "Embedding": embedding,
    "GRU": recurrent,
    "InputLayer": input_layer,
    "LSTM": recurrent,
    "SimpleRNN": recurrent,
    "TimeDistributed": time_distributed,
}


def modules_of(layer: KerasLayer) -> Modules:
    """Return the modules of a layer, by name.

    Raises:
        FileFormatError: its class is not read, or something in it is not.
    """
    if layer.kind not in LAYERS:
        raise FileFormatError(
            f"{layer.where} is of the class {escaped(layer.kind, 80)}, which is not read; "
            f"read are {listed(sorted(LAYERS))}"
        )
    trainable = layer.config.flag("trainable", True)
    made = LAYERS[layer.kind](layer)
    layer.finish()
    for module in made.values():
        module.requires_grad_(trainable)
    return made
