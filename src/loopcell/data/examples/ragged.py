"""Ragged arrays: sequences of different lengths in one array, in memory or in a folder that is mapped.

A data set larger than memory is written once, example by example, and then read in any order: the folder has
`values.npy` `[sum of T, ...]` and `offsets.npy` `[N + 1]`, which NumPy opens too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError, FileFormatError, InputError
from loopcell.files import atomic_write

HEADER_BYTES = 256  # more than any header of ours, and a multiple of 64 so that the values are aligned
VALUES, OFFSETS = "values.npy", "offsets.npy"


class Ragged(Sequence[npt.NDArray[Any]]):
    """N sequences of varying length T and equal further axes.

    Attributes:
        values: all steps, one sequence after the other, `[sum of T, ...]`.
        offsets: int64 `[N + 1]`; sequence i is `values[offsets[i] : offsets[i + 1]]`.
    """

    def __init__(self, values: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> None:
        """Take the arrays as they are; InputError where they contradict each other."""
        if not _valid(offsets, len(values) if values.ndim else -1):
            raise InputError(f"offsets go from 0 to the {len(values)} steps and never fall")
        self.values, self.offsets = values, offsets

    @classmethod
    def of(cls, arrays: Iterable[npt.ArrayLike]) -> Ragged:
        """Put sequences together in memory.

        Raises:
            InputError: there are none, or their further axes or kinds of numbers differ.
        """
        found = [np.asarray(array) for array in arrays]
        if not found:
            raise InputError("there are no sequences")
        for index, array in enumerate(found):
            _check_like(found[0], array, index)
        lengths = [len(array) for array in found]
        return cls(np.concatenate(found), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def write(cls, folder: str | os.PathLike[str], arrays: Iterable[npt.ArrayLike]) -> Ragged:
        """Write sequences to a folder, holding one of them at a time, and open it.

        The files appear when all is written: `offsets.npy` last, so what is cut short is not taken for whole.

        Args:
            folder: where; made if it is not there. What an earlier call wrote is replaced.
            arrays: the sequences, `[T, ...]`.

        Raises:
            InputError: there are none, or their further axes or kinds of numbers differ.
            FileWriteError: the disk is full, ...
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / OFFSETS).unlink(missing_ok=True)
        with atomic_write(place / VALUES) as temporary, temporary.open("wb") as file:
            offsets = _write_values(file, arrays)
        with atomic_write(place / OFFSETS) as temporary, temporary.open("wb") as file:
            np.save(file, offsets, allow_pickle=False)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Ragged:
        """Map what `write` wrote; only the sequences that are looked at are read.

        Raises:
            DataError: there is no such folder, or it was not written to its end.
            FileFormatError: its files are damaged or contradict each other.
        """
        place = Path(folder)
        if not (place / OFFSETS).is_file() or not (place / VALUES).is_file():
            raise DataError(f"{place} has no {VALUES} and {OFFSETS}, or was not written to its end")
        try:
            offsets = np.load(place / OFFSETS, allow_pickle=False)
            values = (
                np.load(place / VALUES, mmap_mode="r", allow_pickle=False)
                if offsets[-1:].any()
                else np.load(place / VALUES)
            )
        except (OSError, ValueError, EOFError) as error:
            raise FileFormatError(f"{place} cannot be read: {error}") from error
        if not values.ndim or offsets.dtype != np.int64 or not _valid(offsets, len(values)):
            raise FileFormatError(f"{place} is damaged: its offsets contradict its values")
        return cls(values, offsets)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of steps of each sequence, int64 `[N]`."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        """Sequence `index`, a view `[T, ...]`; a slice gives a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]  # IndexError and negative indices as Python has them
        return self.values[self.offsets[at] : self.offsets[at + 1]]

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[npt.NDArray[Any]]:
        """The sequences at `indices`, in their order."""
        return [self[int(index)] for index in indices]


def _write_values(file: BinaryIO, arrays: Iterable[npt.ArrayLike]) -> npt.NDArray[np.int64]:
    file.write(bytes(HEADER_BYTES))
    offsets, first = [0], None
    for index, given in enumerate(arrays):
        array = np.asarray(given)
        first = array[:0] if first is None else first
        _check_like(first, array, index)
        file.write(np.ascontiguousarray(array, first.dtype).data)
        offsets.append(offsets[-1] + len(array))
    if first is None:
        raise InputError("there are no sequences")
    file.seek(0)
    file.write(_npy_header(first.dtype, (offsets[-1], *first.shape[1:])))
    return np.array(offsets, np.int64)


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The header of version 1.0 of NumPy's format, filled up to a fixed size."""
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return (start + repr(facts).encode()).ljust(HEADER_BYTES - 1) + b"\n"


def _check_like(first: npt.NDArray[Any], array: npt.NDArray[Any], index: int) -> None:
    if array.ndim < 1 or array.dtype.kind not in "biuf":
        raise InputError(f"sequence {index} is to be numbers [T, ...], got {array.dtype} of {list(array.shape)}")
    if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
        raise InputError(
            f"sequence {index} is {array.dtype} of {list(array.shape)}, unlike the first one, "
            f"which is {first.dtype} of {['T', *first.shape[1:]]}"
        )


def _valid(offsets: npt.NDArray[Any], steps: int) -> bool:
    whole = offsets.ndim == 1 and len(offsets) > 0 and offsets.dtype.kind in "iu"
    return bool(whole and offsets[0] == 0 and offsets[-1] == steps and (np.diff(offsets) >= 0).all())
