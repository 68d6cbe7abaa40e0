"""Importing a Keras model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from loopcell.errors import FileFormatError, UsageError, escaped
from loopcell.importing.chain import Chain
from loopcell.importing.contents import Contents
from loopcell.importing.imported import Imported
from loopcell.importing.keras.config import check_chain
from loopcell.importing.keras.files import layers_of, read
from loopcell.importing.keras.layers import KerasLayer, Modules, modules_of

_HOMES = (None, "keras", "keras.layers", "keras.src.layers", "tensorflow.keras.layers", "tf_keras.layers")
"""The modules of Keras' own layers; another one holds a class of somebody else's, whatever its name."""


def from_keras(path: str | os.PathLike[str], *, config: Mapping[str, Any] | str | None = None) -> Imported:
    """Read a Keras model of layers that follow one another: `.keras`, `.h5` or `.weights.h5`.

    LSTM, GRU (`reset_after` both ways), SimpleRNN and Bidirectional (merge_mode "concat"), with any activations that
    equations can say, `go_backwards` and `use_bias`; Dense, Embedding, Activation, Dropout, TimeDistributed(Dense).

    Args:
        path: the file.
        config: what `model.to_json()` or `model.get_config()` returns, for a `.weights.h5`, which has weights alone.

    Returns:
        The result. Its model takes [B, T, I] ([B, T] of symbols) and returns what Keras' does, and the states;
        networks go by the layers' names and are batch-first.

    Raises:
        FileFormatError: the file is damaged or hostile; a layer, setting or tensor is not read, which is named.
        UsageError: it is a model and not the path of a file; there is no configuration, or a second one.
        MissingExtraError: h5py is not installed.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(
            f"from_keras reads a file, not a {type(path).__name__}: save it first, model.save('model.keras')"
        )
    file = read(Path(path), config)
    layers = layers_of(file.config, file.where)
    check_chain(file.config, layers, file.where)
    modules: dict[str, nn.Module] = {}
    left_out = [f"{len(file.left_out)} entries of the optimizer"] if file.left_out else []
    for entry, weights in zip(layers, file.weights, strict=True):
        layer = _layer(entry, dict(weights), file.version, file.where)
        made = modules_of(layer)
        _refuse_twice(modules, made, file.where)
        modules |= made
        left_out += layer.left_out
    chain = Chain(modules).eval()
    if not chain.networks:
        raise FileFormatError(f"{file.where} has no recurrent layer")
    names = tuple(name for weights in file.weights for name in weights)
    return Imported(chain, chain.networks, names, tuple(left_out))


def _layer(entry: Mapping[str, Any], weights: dict[str, Any], version: str, where: str) -> KerasLayer:
    kind, name = str(entry["class_name"]), str(entry["config"].get("name", ""))
    title = f"layer `{escaped(name, 80)}` of {where}"
    if entry.get("module") not in _HOMES or entry.get("registered_name") not in (None, kind):
        raise FileFormatError(
            f"{title} is a class of its own ({escaped(str(entry.get('registered_name')), 80)}), whose code is not here"
        )
    return KerasLayer(name, kind, Contents(title, entry["config"]), weights, version)


def _refuse_twice(modules: Modules, made: Modules, where: str) -> None:
    twice = [name for name in made if name in modules]
    if twice:
        raise FileFormatError(f"{where} has two layers named `{escaped(twice[0], 80)}`")
