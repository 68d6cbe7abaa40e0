"""The data that an export is verified with, from a file: `loopcell export MODEL --data FILE`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError, UsageError

Numbers = npt.NDArray[Any]


def read_sequences(path: Path, inputs: Sequence[str]) -> dict[str, Numbers]:
    """Read a sequence for each input of a model, [T, n] or [T].

    A CSV file has a row for each step and a column for each number, with a line of names above or without one.

    Args:
        path: .npy or .csv for a model of one input, or .npz with an array under the name of each input.
        inputs: the names of the model's inputs.

    Raises:
        UsageError: the file is of another kind, or is one array for several inputs.
        InputError: the file cannot be read as numbers.
    """
    if path.suffix not in _READERS:
        raise UsageError(f"--data {path}: a file of numbers ends in {', '.join(_READERS)}")
    try:
        found = _READERS[path.suffix](path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"--data {path} cannot be read as numbers: {error}") from error
    if isinstance(found, dict):
        return found
    if len(inputs) != 1:
        raise UsageError(f"--data {path} is one array, and the model reads {', '.join(inputs)}: give an .npz of these")
    return {inputs[0]: found}


def _array(path: Path) -> Numbers:
    return _of_numbers(np.load(path, allow_pickle=False))


def _arrays(path: Path) -> dict[str, Numbers]:
    with np.load(path, allow_pickle=False) as file:
        return {name: _of_numbers(file[name]) for name in file.files}


def _table(path: Path) -> Numbers:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    first = lines[0].split(",") if lines else []
    above = 0 if all(map(_is_number, first)) else 1
    found: Numbers = np.loadtxt(lines, delimiter=",", skiprows=above, ndmin=2, dtype=np.float64)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_numbers(array: Numbers) -> Numbers:
    if array.dtype.kind not in "iuf":
        raise ValueError(f"the array is of {array.dtype}")
    return array


_Reader = Callable[[Path], Numbers | dict[str, Numbers]]
_READERS: Mapping[str, _Reader] = {".npy": _array, ".npz": _arrays, ".csv": _table}
