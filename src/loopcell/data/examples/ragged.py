"""Ragged arrays: sequences of different lengths in one array, in memory or in a folder that is mapped.

A data set larger than memory is written once, example by example, and then read in any order: the folder has
`values.npy` `[sum of T, ...]` and `offsets.npy` `[N + 1]`, which NumPy opens too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.ragged_files import OFFSETS, VALUES, check_like, open_writer
from loopcell.errors import DataError, FileFormatError, InputError

IN_MEMORY = 1 << 30  # bytes
LONGEST_REASON = 160  # characters of NumPy's, which may quote a header whole


class Ragged(Sequence[npt.NDArray[Any]]):
    """N sequences of varying length T and equal further axes.

    Attributes:
        values: all steps, one sequence after the other, `[sum of T, ...]`.
        offsets: int64 `[N + 1]`; sequence i is `values[offsets[i] : offsets[i + 1]]`.
    """

    def __init__(self, values: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> None:
        """Take the arrays as they are; InputError where they contradict each other."""
        if not _valid(offsets, len(values) if values.ndim else -1):
            raise InputError("offsets go from 0 to the number of steps and never fall")
        self.values, self.offsets = values, offsets

    @classmethod
    def of(cls, arrays: Iterable[npt.ArrayLike], *, in_memory: int = IN_MEMORY) -> Ragged:
        """Put sequences together, in memory if they fit.

        Args:
            arrays: the sequences, `[T, ...]`, taken one after the other.
            in_memory: the most bytes to hold; what has more goes to a temporary folder, which is mapped, and goes
                away with this object.

        Raises:
            InputError: there are none, or their further axes or kinds of numbers differ.
            FileWriteError: the temporary folder's disk is full, ...
        """
        rest, found, size = iter(arrays), list[npt.NDArray[Any]](), 0
        for index, given in enumerate(rest):
            found.append(np.asarray(given))
            check_like(found[0], found[-1], index)
            size += found[-1].nbytes
            if size > in_memory:
                return cls._spill(chain(found, rest))
        if not found:
            raise InputError("there are no sequences")
        lengths = [len(array) for array in found]
        return cls(np.concatenate(found), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def _spill(cls, arrays: Iterable[npt.ArrayLike]) -> Ragged:
        folder = tempfile.mkdtemp(prefix="loopcell-")
        try:
            ragged = cls.write(folder, arrays)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(ragged, shutil.rmtree, folder, ignore_errors=True)
        return ragged

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
        with open_writer(Path(folder)) as writer:
            for array in arrays:
                writer.append(np.asarray(array))
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
            something = offsets[-1:].any()  # nothing cannot be mapped
            values = np.load(place / VALUES, mmap_mode="r" if something else None, allow_pickle=False)
        except Exception as error:  # NumPy reads a header by Python's own parser, which raises this and that
            raise FileFormatError(f"{place} cannot be read: {str(error)[:LONGEST_REASON]!r}") from error
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
        """Return sequence `index`, a view `[T, ...]`; a slice gives a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]  # IndexError and negative indices as Python has them
        return self.values[self.offsets[at] : self.offsets[at + 1]]

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[npt.NDArray[Any]]:
        """Return the sequences at `indices`, in their order."""
        return [self[int(index)] for index in indices]


def _valid(offsets: npt.NDArray[Any], steps: int) -> bool:
    whole = offsets.ndim == 1 and len(offsets) > 0 and offsets.dtype.kind in "iu"
    return bool(whole and offsets[0] == 0 and offsets[-1] == steps and (np.diff(offsets) >= 0).all())
