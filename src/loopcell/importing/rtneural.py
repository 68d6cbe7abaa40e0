"""RTNeural's JSON: layers one after the other, with weights as Keras has them.

The format is that of RTNeural's `model_loader.h` and `python/model_utils.py`: a kernel [I, G * H], a recurrent kernel
[H, G * H] and a bias, gates in the order i f g o and z r n; the GRU's bias is [2, 3 * H], for input and past.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from loopcell import cells
from loopcell.errors import FileFormatError, InputError, quoted
from loopcell.files import atomic_write
from loopcell.importing.activations import KERAS, Activated
from loopcell.importing.audio_layers import Model, cell_name, layers_in, packed, weights_of
from loopcell.importing.building import Network, gatewise, linear_of, network_of
from loopcell.importing.chain import Chain
from loopcell.importing.contents import Contents, listed
from loopcell.importing.imported import Imported
from loopcell.importing.json_files import read_json, tensor_of

GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("z", "r", "n")}
_ACTIVATIONS = ("tanh", "relu", "sigmoid", "softmax", "elu")
_DENSE = ("dense", "time-distributed-dense")


def from_rtneural(source: str | os.PathLike[str] | Mapping[str, Any]) -> Imported:
    """Read a model of RTNeural: LSTM, GRU and dense layers with their activations.

    Args:
        source: the JSON file, or the object in it.

    Returns:
        The result; its model takes [B, T, I] and returns the output [B, T, O] and the states. Layers are called lstm_0,
        gru_1, dense_2 by their place in the file, and the networks likewise.

    Raises:
        FileFormatError: the file is damaged or hostile; a layer, setting or weight is not read, which is named.
    """
    where = "the model" if isinstance(source, Mapping) else str(Path(source))
    content = source if isinstance(source, Mapping) else read_json(Path(source), "a model of RTNeural")
    top = Contents(where, content)
    shape, layers = top.take("in_shape"), top.take("layers")
    top.finish()
    width = _last(where, "in_shape", shape)
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise FileFormatError(f"{where} has layers={quoted(layers)}, which is no list of layers")
    modules: dict[str, nn.Module] = {}
    read: list[str] = []
    for place, entry in enumerate(layers):
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in _READERS:
            raise FileFormatError(f"layer {place} of {where} is of type {quoted(kind)}; read are {listed(_READERS)}")
        name = f"{kind.replace('-', '_')}_{place}"
        layer = Contents(f"layer {place} ({kind}) of {where}", entry)
        layer.take_all(("type", "name"))
        made, width = _READERS[kind](layer, name, width)
        layer.finish()
        modules |= made
        read.append(f"layers[{place}].weights")
    chain = Chain(modules).eval()
    if not chain.networks:
        raise FileFormatError(f"{where} has no recurrent layer")
    return Imported(chain, chain.networks, tuple(read))


def _last(where: str, name: str, shape: Any) -> int:
    width = shape[-1] if isinstance(shape, list) and shape else None
    return Contents(f"{name} of {where}", {"its last length": width}).whole("its last length")


def _parts(layer: Contents, count: int) -> list[Any]:
    found = layer.take("weights")
    if not isinstance(found, list) or len(found) != count:
        came = f"{len(found)} weights" if isinstance(found, list) else "no list of weights"
        raise FileFormatError(f"{layer.where} has {came}, not {count}")
    return found


def _recurrent(layer: Contents, name: str, width: int) -> tuple[dict[str, nn.Module], int]:
    kind = name.partition("_")[0]
    layer.expect("activation", "", "tanh", why="and RTNeural computes tanh whatever stands there")
    hidden, gates = _last(layer.where, "shape", layer.take("shape")), GATES[kind]
    kernel, recurrent, bias = _parts(layer, 3)
    rows = len(gates) * hidden
    named = gatewise("W", gates, tensor_of(f"the kernel of {layer.where}", kernel, width, rows).T)
    named |= gatewise("U", gates, tensor_of(f"the recurrent kernel of {layer.where}", recurrent, hidden, rows).T)
    if kind == "lstm":
        named |= gatewise("b", gates, tensor_of(f"the bias of {layer.where}", bias, rows))
    else:
        outer, inner = tensor_of(f"the bias of {layer.where}", bias, 2, rows)
        both = gatewise("b", gates, outer + inner) | {"b.n": outer[2 * hidden :], "d.n": inner[2 * hidden :]}
        named |= both
    return {name: network_of(layer.where, cells.get(kind), [[named]], batch_first=True)}, hidden


def _dense(layer: Contents, name: str, width: int) -> tuple[dict[str, nn.Module], int]:
    units = _last(layer.where, "shape", layer.take("shape"))
    weight, bias = _parts(layer, 2)
    kernel = tensor_of(f"the weight of {layer.where}", weight, width, units)
    linear = linear_of(kernel.T, tensor_of(f"the bias of {layer.where}", bias, units))
    return {name: linear, **_activated(layer, f"{name}.activation")}, units


def _activation(layer: Contents, name: str, width: int) -> tuple[dict[str, nn.Module], int]:
    layer.take_or("shape", None)  # that of the layer before
    layer.expect("weights", [], why="and an activation has none")
    return _activated(layer, name), width


def _activated(layer: Contents, name: str) -> dict[str, nn.Module]:
    found = layer.take_or("activation", "")
    if found == "":
        return {}
    if found not in _ACTIVATIONS:
        raise FileFormatError(f"{layer.where} has activation={quoted(found)}; RTNeural's are {listed(_ACTIVATIONS)}")
    function = KERAS[found].function if found != "softmax" else lambda x: torch.softmax(x, -1)
    return {name: Activated(found, function)}


_READERS: dict[str, Callable[[Contents, str, int], tuple[dict[str, nn.Module], int]]] = {
    "lstm": _recurrent,
    "gru": _recurrent,
    "dense": _dense,
    "time-distributed-dense": _dense,
    "activation": _activation,
}


def to_rtneural(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model for RTNeural: LSTM and GRU networks, linear layers, and tanh, relu or sigmoid after these.

    A network of several layers becomes as many layers of the file.

    Args:
        model: what an importer returned as its model, a network alone, or layers in the order in which they run, such
            as `[net, torch.nn.Linear(32, 1)]`.
        path: the JSON file to write, whole or not at all.

    Raises:
        InputError: a layer is none that RTNeural has, or layers do not fit each other.
        FileWriteError: the file cannot be written.
    """
    written: list[dict[str, Any]] = []
    layers = layers_in(model)
    for layer in layers:
        _write(layer, written)
    if not any(entry["type"] in GATES for entry in written):
        raise InputError("the model has no recurrent network")
    first = next(layer for layer in layers if isinstance(layer, Network | nn.Linear))
    width = first.input_size if isinstance(first, Network) else first.in_features
    content = {"in_shape": [None, None, width], "layers": written}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _write(layer: nn.Module, written: list[dict[str, Any]]) -> None:
    """Add the entries of a layer to those before it."""
    before = written[-1]["shape"][-1] if written else None
    if isinstance(layer, Network):
        _check_width(before, layer.input_size)
        written += [_written_recurrent(layer, place) for place in range(layer.num_layers)]
    elif isinstance(layer, nn.Linear):
        _check_width(before, layer.in_features)
        bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
        written.append(_entry("dense", "", layer.out_features, [layer.weight.T, bias]))
    else:
        name = layer.name if isinstance(layer, Activated) else type(layer).__name__.lower()
        if (
            name not in ("tanh", "relu", "sigmoid")
            or not written
            or written[-1]["type"] != "dense"
            or written[-1]["activation"]
        ):
            raise InputError(
                f"{type(layer).__name__} cannot be written: RTNeural has LSTM, GRU and dense layers, and tanh, relu or "
                "sigmoid after a dense one"
            )
        written[-1]["activation"] = name


def _check_width(before: int | None, width: int) -> None:
    if before not in (None, width):
        raise InputError(f"a layer of {width} inputs follows one of {before} outputs")


def _written_recurrent(net: Network, place: int) -> dict[str, Any]:
    kind, weights = cell_name(net), weights_of(net, place)
    gates = GATES[kind]
    bias = packed(weights, "b", gates)
    if kind == "gru":
        inner = torch.zeros_like(bias)
        inner[2 * net.hidden_size :] = weights["d.n"]
        bias = torch.stack([bias, inner])
    parts = [packed(weights, "W", gates).T, packed(weights, "U", gates).T, bias]
    return _entry(kind, "", net.hidden_size, parts)


def _entry(kind: str, activation: str, width: int, parts: list[Tensor]) -> dict[str, Any]:
    weights = [part.detach().cpu().float().tolist() for part in parts]
    return {"type": kind, "activation": activation, "shape": [None, None, width], "weights": weights}
