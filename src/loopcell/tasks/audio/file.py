"""The file of an effect: its layers' weights as named tensors, and the equations of its cells as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from loopcell.equations import Cell
from loopcell.equations.serialise import graph_from_json, graph_to_json
from loopcell.errors import FileFormatError
from loopcell.files.tensors import HOSTILE, TensorFile, read_tensor_file, write_tensor_file
from loopcell.importing.activations import KERAS, Activated
from loopcell.importing.building import Network, linear_of, network_of
from loopcell.importing.chain import Chain
from loopcell.layers import State
from loopcell.tasks.audio.kind import KIND
from loopcell.tasks.audio.layers import STEPPED, EffectLayers, Layer

MOST_LAYERS = 256


class EffectFile(NamedTuple):
    """The contents of a file."""

    model: Chain
    sample_rate: int
    skip: bool


def write_effect(path: Path, layers: EffectLayers, sample_rate: int, *, skip: bool) -> None:
    """Write an effect, whole or not at all; FileWriteError where that cannot be."""
    facts = {"sample_rate": sample_rate, "skip": skip, "layers": [_described(layer) for layer in layers.layers]}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in layers.tensors().items()}
    write_tensor_file(path, KIND, TensorFile(tensors, facts))


def _described(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Network):
        return {"network": graph_to_json(layer.cell.graph), "num_layers": layer.num_layers}
    return {"linear": layer.bias is not None} if isinstance(layer, nn.Linear) else {"activation": layer.name}


def read_effect(path: Path) -> EffectFile:
    """Read an effect.

    Raises:
        FileFormatError: the file is missing, damaged or hostile, or is none of an effect.
    """
    content = read_tensor_file(path, KIND)
    try:
        return _read(path, content.facts, dict(content.tensors))
    except HOSTILE as error:
        raise FileFormatError(f"{path} is damaged: it does not describe an effect") from error


def _read(path: Path, facts: Mapping[str, Any], tensors: dict[str, Tensor]) -> EffectFile:
    rate, skip, described = facts["sample_rate"], facts["skip"], facts["layers"]
    if type(rate) is not int or type(skip) is not bool or not isinstance(described, list):
        raise ValueError("its facts are none of an effect")
    if not 0 < len(described) <= MOST_LAYERS:
        raise ValueError("it has no layers, or too many")
    layers, starts = dict[str, nn.Module](), dict[str, State]()
    for place, about in enumerate(described):
        name = f"layer{place}"
        own = _below(tensors, f"{place}.")
        start = _below(own, "start.")
        layers[name] = _layer(f"layer {place} of {path}", about, own)
        if start:
            starts[name] = _start(layers[name], start)
    if tensors:
        raise ValueError("it has tensors of no layer")
    return EffectFile(Chain(layers, starts).eval(), rate, skip)


def _layer(where: str, about: Mapping[str, Any], own: dict[str, Tensor]) -> nn.Module:
    if "network" in about:
        count = about["num_layers"]
        if type(count) is not int or not 1 <= count <= MOST_LAYERS:
            raise ValueError("its count of layers is none")
        cell = Cell(graph_from_json(about["network"]), "", {})
        stacked = [[_below(own, f"{number}.")] for number in range(count)]
        _demand_none_left(own)
        return network_of(where, cell, stacked, batch_first=True)
    if "linear" in about:
        weight, bias = own.pop("weight"), own.pop("bias") if about["linear"] else None
        _demand_none_left(own)
        if weight.dim() != 2 or (bias is not None and bias.shape != weight.shape[:1]):
            raise ValueError("its linear layer has other shapes")
        return linear_of(weight, bias)
    if about["activation"] not in STEPPED:
        raise ValueError("it has an unknown activation")
    return Activated(about["activation"], KERAS[about["activation"]].function)


def _start(layer: nn.Module, found: dict[str, Tensor]) -> State:
    if not isinstance(layer, Network):
        raise ValueError("a layer without a state starts at one")
    own = layer.initial_state(1)
    looks = [{name: (one.shape, one.dtype) for name, one in state.items()} for state in (own, found)]
    if looks[0] != looks[1]:
        raise ValueError("its start is not of its network")
    return State.of(found)


def _below(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin so."""
    return {name.removeprefix(start): tensors.pop(name) for name in list(tensors) if name.startswith(start)}


def _demand_none_left(tensors: Mapping[str, Tensor]) -> None:
    if tensors:
        raise ValueError("it has tensors that no layer reads")
