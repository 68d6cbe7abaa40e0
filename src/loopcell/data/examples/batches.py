"""Batches of examples of similar length: every example once an epoch, in an order that a seed decides.

Lengths fall into buckets whose bounds grow by a tenth; inside a bucket the order is drawn anew for each epoch, and
so is the order of the batches. What is fixed is where the batches are cut: each epoch has the same number of them,
and the position in a run is two integers, epoch and batch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError

Indices = npt.NDArray[np.int64]
GROWTH = 1.1


class Batches:
    """The batches of each epoch, as indices of examples."""

    def __init__(
        self,
        lengths: npt.ArrayLike,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        max_steps: int | None = None,
    ) -> None:
        """Plan the batches.

        Args:
            lengths: the number of steps of each example, `[N]`.
            batch_size: examples of a batch, B; the last one may have fewer.
            seed: decides the order, together with the epoch.
            shuffle: False: longest first, the same each epoch; what needs most memory then comes first.
            max_steps: a bound on a batch's T * B, padding included, for memory; a longer example is alone.

        Raises:
            InputError: the lengths are not whole numbers from 0 up, or a size is below 1.
        """
        array = np.asarray(lengths)
        if array.ndim != 1 or (array.size and (array.dtype.kind not in "iu" or int(array.min()) < 0)):
            raise InputError(f"lengths are whole numbers [N] from 0 up, got {array.dtype} of {list(array.shape)}")
        if batch_size < 1 or (max_steps is not None and max_steps < 1):
            raise InputError(f"batch_size and max_steps are at least 1, got {batch_size} and {max_steps}")
        self._lengths, self._seed, self._shuffle = array.astype(np.int64), seed, shuffle
        self._buckets = _buckets(self._lengths)
        self._cuts = _cuts(np.sort(self._buckets)[::-1], batch_size, max_steps)

    def __len__(self) -> int:
        """Return the number of batches, the same in each epoch."""
        return len(self._cuts) - 1

    def epoch(self, number: int) -> list[Indices]:
        """Return the batches of an epoch, in order; together they have every index of `0 .. N - 1` once.

        Each is int64, its longest example first where the batches are not shuffled.
        """
        if not self._shuffle:
            return self._cut(np.argsort(-self._lengths, kind="stable"))
        drawn = np.random.default_rng([self._seed, number])
        order = drawn.permutation(len(self._lengths))
        batches = self._cut(order[np.argsort(-self._buckets[order], kind="stable")])
        return [batches[at] for at in drawn.permutation(len(batches))]

    def padding_share(self, number: int = 0) -> float:
        """Return the share of an epoch's steps that are padding, 0 to 1."""
        batches = self.epoch(number)
        steps = sum(int(self._lengths[batch].max()) * len(batch) for batch in batches)
        return 1 - int(self._lengths.sum()) / steps if steps else 0.0

    def _cut(self, order: Indices) -> list[Indices]:
        return [order[start:stop] for start, stop in zip(self._cuts[:-1], self._cuts[1:], strict=True)]


def _buckets(lengths: Indices) -> Indices:
    """Return the upper bound of each length's bucket: short lengths stand alone, long ones up to a tenth shorter."""
    exponents = np.ceil(np.round(np.log(np.maximum(lengths, 1)) / math.log(GROWTH), 9))
    bounds = np.floor(GROWTH**exponents).astype(np.int64)
    return np.where(lengths > 0, np.maximum(bounds, lengths), 0)


def _cuts(bounds: npt.NDArray[Any], batch_size: int, max_steps: int | None) -> list[int]:
    """Return the places where batches start in the falling sequence of their examples' bounds, and its end."""
    cuts = [0]
    for at in range(len(bounds)):
        size = at - cuts[-1]
        too_long = max_steps is not None and size * int(bounds[cuts[-1]]) + int(bounds[cuts[-1]]) > max_steps
        if size and (size == batch_size or too_long):
            cuts.append(at)
    return [*cuts, len(bounds)] if len(bounds) else cuts
