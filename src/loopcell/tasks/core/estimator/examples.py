"""Examples by number, and the batches of them that the training engine reads."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Batches, Ragged, pad
from loopcell.data.stored import StoredArray, stored_note
from loopcell.tasks.core.inputs.static import StaticRows

IGNORED = -100
"""The number of a label that is not known: nothing is learned from it. It is `ignore_index` of torch's losses."""

Indices = npt.NDArray[np.int64]
BatchT = TypeVar("BatchT")


class Examples(ABC, Generic[BatchT]):
    """Examples that a network is trained or scored on.

    Attributes:
        lengths: int64 [N]; examples of similar length share a batch, so that there is little padding.
    """

    lengths: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """N."""
        return len(self.lengths)

    @abstractmethod
    def fingerprint(self) -> str:
        """Return what tells these examples from others: a run goes on with the same ones only."""

    @abstractmethod
    def batch(self, indices: Indices) -> BatchT:
        """Put some examples into tensors."""

    def in_order_of_length(self, batch_size: int) -> Iterator[tuple[Indices, BatchT]]:
        """All examples with their numbers, in batches of similar length: what reads without learning goes this way."""
        for indices in Batches(self.lengths, batch_size=batch_size, shuffle=False).epoch(0):
            yield indices, self.batch(indices)


class SequenceBatch(NamedTuple):
    """Sequences side by side, time first.

    Attributes:
        inputs: token ids [T, B] or numbers [T, B, I], zero past each row's end.
        lengths: int64 [B].
        targets: [B] or [B, K] for a target a sequence; [T, B] for one a step, `IGNORED` past each row's end. Empty
            where nothing is known.
        weights: float32 [B], how much each sequence counts in the loss; None where all count alike.
        static: what holds for each sequence as a whole; None where nothing does.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    weights: Tensor | None = None
    static: StaticRows | None = None


class SequenceExamples(Examples[SequenceBatch]):
    """Sequences, and a target for each of them or for each of their steps.

    Args:
        inputs: N sequences.
        targets: an array [N] or [N, K], sequences of numbers as long as the inputs, or None.

    Attributes:
        weights: float32 [N], how much each sequence counts in the loss, with a mean of 1 over all predictions; None
            where all count alike.
        static: what holds for each sequence as a whole; None where nothing does.
    """

    weights: npt.NDArray[np.float32] | None = None
    static: StaticRows | None = None

    def __init__(self, inputs: Ragged, targets: npt.NDArray[Any] | Ragged | None = None) -> None:
        self.inputs, self.targets, self.lengths = inputs, targets, inputs.lengths

    def take(self, indices: Indices) -> SequenceExamples:
        """Return some of the examples, with their targets and weights."""
        targets = self.targets
        if isinstance(targets, Ragged):
            targets = Ragged.of(targets.take(indices))
        elif targets is not None:
            targets = targets[indices]
        taken = SequenceExamples(Ragged.of(self.inputs.take(indices)), targets)
        taken.weights = None if self.weights is None else self.weights[indices]
        taken.static = None if self.static is None else StaticRows(*(part[indices] for part in self.static))
        return taken

    def fingerprint(self) -> str:
        """Return a hash of all inputs and targets, and of weights where there are any."""
        targets = self.targets.values if isinstance(self.targets, Ragged) else self.targets
        more = [*([] if self.weights is None else [self.weights]), *(self.static or ())]
        return fingerprint(self.inputs.values, self.lengths, np.zeros(0) if targets is None else targets, *more)

    @property
    def stored_note(self) -> str:
        """A sentence about inputs that are more than memory; "" for none."""
        return stored_note("what the network reads", self.inputs.values.nbytes) if self.inputs.stored else ""

    def predictions(self) -> npt.NDArray[np.int64]:
        """Count the predictions in the loss of each sequence, [N]: one, or one for each step whose target is known."""
        if not isinstance(self.targets, Ragged):
            return np.ones(len(self), dtype=np.int64)
        return np.array([np.count_nonzero(row != IGNORED) for row in self.targets], dtype=np.int64)

    def batch(self, indices: Indices) -> SequenceBatch:
        """Pad some sequences to the longest of them."""
        padded = pad(self.inputs.take(indices))
        weights = None if self.weights is None else torch.from_numpy(self.weights[indices])
        static = None
        if self.static is not None:
            static = StaticRows(*(torch.from_numpy(part[indices]) for part in self.static))
        return SequenceBatch(padded.values, padded.lengths, self._targets(indices), weights, static)

    def _targets(self, indices: Indices) -> Tensor:
        if self.targets is None:
            return torch.empty(0)
        if isinstance(self.targets, Ragged):
            return pad(self.targets.take(indices), value=IGNORED).values
        return torch.from_numpy(self.targets[indices])


class ExampleBatches(Generic[BatchT]):
    """The batches of every epoch, as the training loop reads them.

    Args:
        examples: all of them; each is in one batch of an epoch.
        batch_size: B.
        seed: of the order, together with the epoch's number.
        shuffle: False for the same order in every epoch.
        change: of a batch, with the numbers of the epoch and the batch, before it is learned from; None for nothing.
    """

    def __init__(
        self,
        examples: Examples[BatchT],
        batch_size: int,
        seed: int,
        *,
        shuffle: bool = True,
        change: Callable[[BatchT, int, int], BatchT] | None = None,
    ) -> None:
        self._change = change
        self._examples, self.batch_size = examples, batch_size
        self._batches = Batches(examples.lengths, batch_size=batch_size, seed=seed, shuffle=shuffle)
        self.begin_epoch(0)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._batches)

    def begin_epoch(self, epoch: int) -> None:
        """Put the batches of epoch 0, 1, ... into their order."""
        self._epoch, self._order = epoch, self._batches.epoch(epoch)

    def chunk(self, index: int) -> BatchT:
        """Batch `index` of the epoch."""
        batch = self._examples.batch(self._order[index])
        return batch if self._change is None else self._change(batch, self._epoch, index)


def fingerprint(*arrays: npt.NDArray[Any] | StoredArray) -> str:
    """Return a hash of some arrays' contents."""
    digest = hashlib.sha256()
    for array in arrays:
        for block in array.blocks() if isinstance(array, StoredArray) else (array,):
            digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
