"""Sequences of different lengths as one tensor, time first, with their lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.errors import InputError


class Padded(NamedTuple):
    """A batch.

    Attributes:
        values: `[T, B, ...]`, T the longest length; what is past a sequence's end is padding.
        lengths: int64 `[B]`.
    """

    values: Tensor
    lengths: Tensor

    def chunks(self, steps: int) -> Iterator[Padded]:
        """Cut the batch along time, to carry a state from chunk to chunk.

        Yields:
            Batches of the same B and at most `steps` steps; a sequence that has ended has the length 0.

        Raises:
            InputError: `steps` is below 1.
        """
        if steps < 1:
            raise InputError(f"a chunk has at least 1 step, got {steps}")
        for start in range(0, len(self.values), steps):
            values = self.values[start : start + steps]
            yield Padded(values, (self.lengths - start).clamp(0, len(values)))


def pad(arrays: Sequence[npt.NDArray[Any] | Tensor], *, value: float = 0) -> Padded:
    """Put sequences `[T, ...]` side by side.

    Args:
        arrays: at least one, with the same further axes; all floats (float32 comes out) or all whole numbers (int64).
        value: what the padding is.

    Raises:
        InputError: there are none, or they do not go together.
    """
    if not len(arrays):
        raise InputError("there are no sequences to put into a batch")
    found = [np.asarray(array) for array in arrays]
    first = found[0]
    for index, array in enumerate(found):
        alike = array.ndim == first.ndim >= 1 and array.shape[1:] == first.shape[1:]
        if not alike or array.dtype.kind not in "biuf" or (array.dtype.kind == "f") != (first.dtype.kind == "f"):
            raise InputError(
                f"sequence {index} of the batch is {array.dtype} of {list(array.shape)}, and the first one is "
                f"{first.dtype} of {list(first.shape)}: they differ in more than T"
            )
    lengths = [len(array) for array in found]
    dtype = np.float32 if first.dtype.kind == "f" else np.int64
    values = np.full((max(lengths), len(found), *first.shape[1:]), value, dtype)
    for index, array in enumerate(found):
        try:
            with np.errstate(over="raise"):
                values[: len(array), index] = array
        except FloatingPointError as error:
            raise InputError(
                f"sequence {index} of the batch has numbers that float32 does not reach; scale it"
            ) from error
    return Padded(torch.from_numpy(values), torch.tensor(lengths, dtype=torch.int64))
