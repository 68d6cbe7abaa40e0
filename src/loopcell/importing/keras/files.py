"""Keras' files: `.keras` archives, whole models in HDF5, and `.weights.h5`; each gives layers and their weights."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from loopcell.errors import FileFormatError, UsageError, escaped
from loopcell.importing.contents import listed
from loopcell.importing.json_files import parse_object
from loopcell.importing.keras import hdf5

LARGEST_PACKED = 1 << 28
"""Bytes that a compressed part of an archive may become; Keras compresses nothing."""

_PARTS = {"config.json", "metadata.json", "model.weights.h5"}
_ORDER = {"forward_layer": "0", "backward_layer": "1"}
_OPTIMIZERS = ("optimizer", "optimizer_weights")
_ZIP_ERRORS = (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError, KeyError)


@dataclass(frozen=True)
class KerasFile:
    """The content of a file.

    Attributes:
        where: the file, for errors.
        config: of the model, with `class_name` and `config`.
        version: of the Keras that wrote it, "" where nothing says.
        weights: of each layer by its place among all layers: tensors by path, in the order of Keras.
        left_out: names of tensors that are no weights of a layer.
    """

    where: str
    config: Mapping[str, Any]
    version: str
    weights: Sequence[Mapping[str, Tensor]]
    left_out: tuple[str, ...]


def read(path: Path, config: Mapping[str, Any] | str | None) -> KerasFile:
    """Read a file of any of the three kinds.

    Args:
        path: the file.
        config: of the model, where the file has the weights alone.

    Raises:
        FileFormatError: the file is missing, damaged, hostile or of another kind.
        UsageError: the file has weights alone and there is no config, or it has its own.
    """
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}")
    given = _given(config)
    if zipfile.is_zipfile(path):
        _refuse_second(path, given)
        return _from_archive(path)
    with hdf5.opened(path, str(path)) as group:
        if "model_config" in group.attrs:
            _refuse_second(path, given)
            return _from_whole_model(group, str(path))
        if "layers" not in group:
            raise FileFormatError(f"{path} has no layers: it is no model, and no weights, that Keras 3 wrote")
        if given is None:
            raise UsageError(
                f"{path} has weights alone, and equations follow from the configuration: pass config=model.to_json()"
            )
        return _from_weights(group, str(path), given, str(given.get("keras_version", "")))


def _given(config: Mapping[str, Any] | str | None) -> Mapping[str, Any] | None:
    """Return a configuration in the form of `Model.to_json`; `get_config` leaves the class out."""
    if config is None:
        return None
    if isinstance(config, str):
        config = parse_object(config, "config is not what model.to_json() returns")
    if "class_name" not in config and "layers" in config:
        return {"class_name": "Functional" if "input_layers" in config else "Sequential", "config": config}
    return config


def _refuse_second(path: Path, given: object) -> None:
    if given is not None:
        raise UsageError(f"{path} has its own configuration: leave config out")


def _from_archive(path: Path) -> KerasFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if set(names) != _PARTS or len(names) != len(_PARTS):
                raise FileFormatError(f"{path} holds {listed(names)}; a .keras file holds {listed(sorted(_PARTS))}")
            parts = {name: _unpacked(archive, name, path) for name in names}
    except _ZIP_ERRORS as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} is not a .keras file, or not a whole one") from error
    config, metadata = (
        parse_object(parts[name], f"{name} of {path} is not JSON") for name in ("config.json", "metadata.json")
    )
    where = f"model.weights.h5 of {path}"
    with hdf5.opened(io.BytesIO(parts["model.weights.h5"]), where) as group:
        return _from_weights(group, where, config, str(metadata.get("keras_version", "")))


def _unpacked(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    info = archive.getinfo(name)
    # What is stored as it is cannot be larger than the archive, which is there.
    if info.file_size > (path.stat().st_size if info.compress_type == zipfile.ZIP_STORED else LARGEST_PACKED):
        raise FileFormatError(f"{name} of {path} would become {info.file_size:,} bytes: it is no file of Keras")
    with archive.open(info) as file:
        return file.read(info.file_size + 1)


def _from_weights(group: Any, where: str, config: Mapping[str, Any], version: str) -> KerasFile:
    """Read weights that lie under the layers' classes: `layers/lstm_1/cell/vars/0`."""
    layers = layers_of(config, where)
    names = _class_names([layer["class_name"] for layer in layers])
    every = hdf5.tensors(group, where)
    taken: list[dict[str, Tensor]] = []
    for name in names:
        prefix = f"layers/{name}/"
        found = [path for path in every if path.startswith(prefix)]
        taken.append({path: every[path] for path in sorted(found, key=_in_keras_order)})
    _check_names(group, names, layers, where)
    known = {path for layer in taken for path in layer}
    rest = [path for path in every if path not in known]
    return KerasFile(where, config, version, taken, _only_of_the_optimizer(rest, where))


def _check_names(group: Any, names: Sequence[str], layers: Sequence[Mapping[str, Any]], where: str) -> None:
    """Check that each layer's weights are those of the layer of that name, as the file says beside them."""
    for name, layer in zip(names, layers, strict=True):
        holder = group.get(f"layers/{name}/vars")
        said = None if holder is None else holder.attrs.get("name")
        own = layer["config"].get("name")
        if said is not None and own is not None and str(said) != own:
            raise FileFormatError(
                f"{where} has the weights of `{escaped(str(said), 80)}` at layers/{name}, where the configuration has "
                f"`{escaped(str(own), 80)}`: they are not of one model"
            )


def _class_names(classes: Sequence[str]) -> list[str]:
    """Return what Keras calls each layer in a file: its class in snake case, the second of a class with _1."""
    seen: Counter[str] = Counter()
    names = []
    for cls in classes:
        name = snake_case(cls)
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def snake_case(name: str) -> str:
    """Return `time_distributed` of `TimeDistributed`, and `simple_rnn` of `SimpleRNN`."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def _in_keras_order(path: str) -> tuple[tuple[int, str], ...]:
    parts = [_ORDER.get(part, part) for part in path.split("/")]
    return tuple((int(part), "") if part.isdigit() and part.isascii() else (1 << 30, part) for part in parts)


def _only_of_the_optimizer(paths: Sequence[str], where: str) -> tuple[str, ...]:
    others = [path for path in paths if path.partition("/")[0] not in _OPTIMIZERS]
    if others:
        raise FileFormatError(f"{where} has {listed(others)}, which belong to no layer of the configuration")
    return tuple(paths)


def _from_whole_model(group: Any, where: str) -> KerasFile:
    """Read an HDF5 file of a whole model: a group a layer, with the names of its weights in order."""
    config = parse_object(hdf5.text(group, "model_config", where), f"the configuration in {where} is not JSON")
    layers = layers_of(config, where)
    if "model_weights" not in group:
        raise FileFormatError(f"{where} has a configuration and no weights")
    holder = group["model_weights"]
    every = hdf5.tensors(holder, where)
    taken: list[dict[str, Tensor]] = []
    for layer in layers:
        name = str(layer["config"].get("name", ""))
        names = hdf5.texts(holder[name], "weight_names") if name in holder else []
        paths = [f"{name}/{weight}" for weight in names]
        missing = [path for path in paths if path not in every]
        if missing:
            raise FileFormatError(f"{where} has not {listed(missing)}, which it says it has")
        taken.append({path: every[path] for path in paths})
    known = {path for layer in taken for path in layer}
    rest = [path for path in every if path not in known]
    if rest:
        raise FileFormatError(f"{where} has {listed(rest)}, which belong to no layer of the configuration")
    left_out = tuple(name for name in _OPTIMIZERS if name in group)
    version = hdf5.text(group, "keras_version", where) if "keras_version" in group.attrs else ""
    return KerasFile(where, config, version, taken, left_out)


def layers_of(config: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """Return the configurations of a model's layers, in its order.

    Raises:
        FileFormatError: the configuration is none of a model.
    """
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list) or not all(_is_layer(layer) for layer in layers):
        raise FileFormatError(f"the configuration in {where} has no list of layers")
    return layers


def _is_layer(layer: object) -> bool:
    return (
        isinstance(layer, dict) and isinstance(layer.get("class_name"), str) and isinstance(layer.get("config"), dict)
    )
