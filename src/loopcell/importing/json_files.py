"""JSON from elsewhere: bounded, finite, and an object at the top."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from loopcell.errors import FileFormatError, escaped

LARGEST_FILE = 1 << 30
"""Bytes of a JSON file; a list of numbers takes some ten times as many in memory."""


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Args:
        path: the file.
        what: what it should be, for the error: "a NAM file".

    Raises:
        FileFormatError: there is no such file, or it is too large, torn, or no JSON object.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise FileFormatError(f"{path} is larger than {LARGEST_FILE:,} bytes, which is no size of {what}")
        return parse_object(path.read_bytes(), f"{path} is not {what}, or not a whole one")
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}") from error


def parse_object(text: str | bytes, refusal: str) -> dict[str, Any]:
    """Return the object of a JSON text.

    Raises:
        FileFormatError: it is none, with the refusal as the message's start.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{refusal} ({escaped(str(error), 120)})") from error
    if not isinstance(found, dict):
        raise FileFormatError(f"{refusal} (it holds a {type(found).__name__}, not an object)")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")


def tensor_of(where: str, value: Any, *shape: int) -> Tensor:
    """Return nested lists of numbers as a tensor in float32.

    Args:
        where: the weight, as the start of a sentence.
        value: the lists.
        shape: what they have to be.

    Raises:
        FileFormatError: they are of another shape, ragged, or hold something that is no finite number.
    """
    if not _fits(value, shape):
        raise FileFormatError(f"{where} is not a list of numbers {list(shape)}")
    try:
        tensor = torch.tensor(value, dtype=torch.float32)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise FileFormatError(f"{where} is not a list of numbers {list(shape)}") from error
    if not torch.isfinite(tensor).all():
        raise FileFormatError(f"{where} holds a number that is too large for float32")
    return tensor


def _fits(value: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, list) or len(value) != shape[0]:
        return False
    return all(_fits(inner, shape[1:]) for inner in value)
