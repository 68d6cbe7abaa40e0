"""Ragged arrays: sequences of different lengths in one array, in memory or in a file.

A data set larger than memory is written once, example by example, and then read in any order: a folder has
`values.npy` `[sum of T, ...]` and `offsets.npy` `[N + 1]`, which NumPy opens too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.ragged_files import OFFSETS, VALUES, RaggedWriter, check_like, open_npy, open_writer
from loopcell.data.stored import StoredArray, most_in_memory, temporary_file
from loopcell.errors import DataError, FileFormatError, InputError

TEMPORARY = "the temporary file of a data set"  # which has no name
LONGEST_REASON = 160  # characters of NumPy's, which may quote a header whole


class Ragged(Sequence[npt.NDArray[Any]]):
    """N sequences of varying length T and equal further axes.

    Attributes:
        values: all steps, one sequence after the other, `[sum of T, ...]`; a `StoredArray` where they are in a file.
        offsets: int64 `[N + 1]`; sequence i is `values[offsets[i] : offsets[i + 1]]`.
    """

    def __init__(self, values: npt.NDArray[Any] | StoredArray, offsets: npt.NDArray[np.int64]) -> None:
        """Take the arrays as they are; InputError where they contradict each other."""
        if not _valid(offsets, len(values) if values.ndim else -1):
            raise InputError("offsets go from 0 to the number of steps and never fall")
        self.values, self.offsets = values, offsets

    @classmethod
    def of(cls, arrays: Iterable[npt.ArrayLike], *, in_memory: int | None = None) -> Ragged:
        """Put sequences together, in memory if they fit.

        Args:
            arrays: the sequences, `[T, ...]`, taken one after the other.
            in_memory: the most bytes to hold; None for `most_in_memory`. What has more goes to a temporary file, which
                goes away with this object.

        Raises:
            InputError: there are none, or their further axes or kinds of numbers differ.
            FileWriteError: the temporary file's disk is full, ...
        """
        most = most_in_memory() if in_memory is None else in_memory
        rest, found, size = iter(arrays), list[npt.NDArray[Any]](), 0
        for index, given in enumerate(rest):
            found.append(np.asarray(given))
            check_like(found[0], found[-1], index)
            size += found[-1].nbytes
            if size > most:
                return cls._stored(chain(_emptied(found), rest))
        if not found:
            raise InputError("there are no sequences")
        lengths = [len(array) for array in found]
        return cls(np.concatenate(found), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def _stored(cls, arrays: Iterable[npt.ArrayLike]) -> Ragged:
        with temporary_file() as file:
            writer = RaggedWriter(file)
            for array in arrays:
                writer.append(np.asarray(array))
            offsets = writer.finish()
        return cls(open_npy(file, TEMPORARY), offsets)

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
        """Open what `write` wrote; only the sequences that are looked at are read.

        Raises:
            DataError: there is no such folder, or it was not written to its end.
            FileFormatError: its files are damaged or contradict each other.
        """
        place = Path(folder)
        if not (place / OFFSETS).is_file() or not (place / VALUES).is_file():
            raise DataError(f"{place} has no {VALUES} and {OFFSETS}, or was not written to its end")
        try:
            offsets = np.load(place / OFFSETS, allow_pickle=False)
            values = open_npy((place / VALUES).open("rb"), str(place))
        except Exception as error:  # NumPy reads a header by Python's own parser, which raises this and that
            raise FileFormatError(f"{place} cannot be read: {str(error)[:LONGEST_REASON]!r}") from error
        if not values.ndim or offsets.dtype != np.int64 or not _valid(offsets, len(values)):
            raise FileFormatError(f"{place} is damaged: its offsets contradict its values")
        return cls(values, offsets)

    @property
    def stored(self) -> bool:
        """True where the values are in a file."""
        return isinstance(self.values, StoredArray)

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield all values in order, in pieces that memory holds."""
        yield from self.values.blocks() if isinstance(self.values, StoredArray) else (self.values,)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of steps of each sequence, int64 `[N]`."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        """Return sequence `index`, `[T, ...]`, in memory a view; a slice gives a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]  # IndexError and negative indices as Python has them
        return self.values[self.offsets[at] : self.offsets[at + 1]]

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[npt.NDArray[Any]]:
        """Return the sequences at `indices`, in their order."""
        return [self[int(index)] for index in indices]


def _emptied(found: list[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """Yield arrays in order and let each of them go."""
    found.reverse()
    while found:
        yield found.pop()


def _valid(offsets: npt.NDArray[Any], steps: int) -> bool:
    whole = offsets.ndim == 1 and len(offsets) > 0 and offsets.dtype.kind in "iu"
    return bool(whole and offsets[0] == 0 and offsets[-1] == steps and (np.diff(offsets) >= 0).all())
