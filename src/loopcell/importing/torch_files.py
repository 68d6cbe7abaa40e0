"""Files of PyTorch and safetensors, and the state dict in them; nothing that stands in a file is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from loopcell.errors import FileFormatError, InputError, UsageError, escaped
from loopcell.importing.contents import listed

DEEPEST = 4
"""Dictionaries within dictionaries in which a state dict is looked for."""
_ENDING = "weight_ih"


def read_state(source: object, entry: str | None) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return a state dict, and words about all else that the checkpoint holds.

    Args:
        source: a mapping or a path.
        entry: the name of the state dict in a checkpoint, with dots for one within another; None where one alone has
            recurrent networks.

    Raises:
        FileFormatError: the file cannot be read, or has no state dict.
        UsageError: there are several state dicts, or none of that name.
        InputError: the source is neither.
    """
    if isinstance(source, Mapping):
        content, where = source, "the state dict"
    elif isinstance(source, str | os.PathLike):
        where = str(source)
        content = _read(Path(source))
    else:
        raise InputError(f"a state dict is a mapping or a file, not {type(source).__name__}")
    found = dict(_state_dicts("", content, 0))
    name = _chosen(found, entry, where)
    state = {key: tensor.detach() for key, tensor in found[name].items()}
    others = [other for other in _entries("", content, name) if other]
    return state, tuple(f"{escaped(other, 80)}: another entry of the checkpoint" for other in others)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileFormatError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        _refuse_packed(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FileFormatError(
            f"{path} holds more than tensors and plain values, or is damaged: it is not read, because that would run "
            "code from it; save the state_dict alone"
        ) from error
    except (safetensors.SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError,
            AttributeError, IndexError, MemoryError) as error:  # fmt: skip
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} is no file of tensors, or not a whole one") from error
    if not isinstance(content, Mapping):
        raise FileFormatError(f"{path} holds a {type(content).__name__}, and no state dict")
    return content


def _refuse_packed(path: Path) -> None:
    """Refuse a compressed archive, which may become any size; torch.save compresses nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise FileFormatError(f"{path} has compressed parts ({listed(packed)}), which torch.save does not write")


def _state_dicts(name: str, content: Any, depth: int) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Yield every mapping of names to tensors in which there is a recurrent network, by its own name."""
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    tensors = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if any(_ENDING in key for key in tensors):
        odd = [str(key) for key in content if key not in tensors and key != "_metadata"]
        if odd:
            raise FileFormatError(f"the state dict {name!r} has {listed(odd)} beside its tensors, which is not read")
        yield name, tensors
        return
    for key, value in content.items():
        yield from _state_dicts(f"{name}.{key}" if name else str(key), value, depth + 1)


def _chosen(found: Mapping[str, Any], entry: str | None, where: str) -> str:
    if not found:
        raise FileFormatError(f"{where} has no recurrent network: no tensor is named weight_ih or weight_ih_l0")
    if entry is None and len(found) == 1:
        return next(iter(found))
    if entry is None:
        raise UsageError(f"{where} has {len(found)} state dicts, {listed(found)}: name one by entry=")
    if entry not in found:
        raise UsageError(f"{where} has no state dict {entry!r} with a recurrent network; it has {listed(found)}")
    return entry


def _entries(name: str, content: Mapping[Any, Any], chosen: str) -> Iterator[str]:
    """Yield the names of what stands beside the chosen state dict, on every level above it."""
    if name == chosen:
        return
    for key, value in content.items():
        inner = f"{name}.{key}" if name else str(key)
        if chosen == inner or chosen.startswith(f"{inner}."):
            if isinstance(value, Mapping):
                yield from _entries(inner, value, chosen)
        else:
            yield inner
