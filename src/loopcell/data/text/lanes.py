"""Lanes: one long stream of tokens cut into as many contiguous segments as a batch has rows.

Truncated backpropagation through time reads every lane from its start to its end, a chunk of T steps at a
time, and carries each row's state from one chunk to the next. So row b of chunk i + 1 goes on where row b
of chunk i stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data.text.tokens import valid_starts
from loopcell.errors import InputError


class Chunk(NamedTuple):
    """T steps of every lane, time first.

    Attributes:
        inputs: int64 `[T, B]`, token ids.
        targets: int64 `[T, B]`, the token that follows each input.
        reset: bool `[T, B]`, true where the state has to be zero before the step: at the first token of a
            document and at a lane's first step.
        valid: bool `[T, B]`, true where the target counts. False: the target is another document's first
            token, or the lane has ended (input and target are then 0).
    """

    inputs: Tensor
    targets: Tensor
    reset: Tensor
    valid: Tensor


class Lanes:
    """A stream of N tokens as chunks of `[T, B]`, each next-token target exactly once.

    The N - 1 pairs (token, next token) are shared out over `batch_size * world_size` contiguous lanes whose
    lengths differ by one at most; the last target of a lane is the first input of the next lane. Nothing is
    dropped: the last chunk may have fewer steps, and lanes that end early are masked by `valid`. Every rank
    has the same number of chunks of the same shape. Rank r has the lanes `r * batch_size` and on.

    A document's first token is never a valid target, since nothing of its document comes before it;
    `num_crossing` says how many targets that leaves out. To predict across documents, pass one document.

    The position in the data is one integer, the index of the next chunk: `chunk(i)` depends on nothing else.

    Attributes:
        num_targets: how many targets are valid, over all ranks; 0 means that there is nothing to predict.
        num_crossing: how many are left out for being another document's first token, over all ranks.
    """

    def __init__(
        self,
        tokens: npt.NDArray[np.integer[Any]],
        document_starts: npt.NDArray[np.integer[Any]],
        *,
        batch_size: int,
        chunk: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Lay the lanes; nothing is read yet.

        Args:
            tokens: token ids `[N]`, perhaps mapped from a file.
            document_starts: where each document starts, not falling, the first at 0; empty for one document.
            batch_size: lanes of this process, B.
            chunk: steps of a chunk, T.
            rank: which process this is, of `world_size`.
            world_size: how many processes share the stream.

        Raises:
            InputError: a size is below 1, the rank is not one, or the arrays are not as described.
        """
        _check_sizes(batch_size=batch_size, chunk=chunk, world_size=world_size)
        if not 0 <= rank < world_size:
            raise InputError(f"rank is 0 to {world_size - 1} (world_size {world_size}), got {rank}")
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise InputError(f"tokens are whole numbers in one dimension, got {tokens.dtype} of {list(tokens.shape)}")
        self.tokens, self.batch_size, self.chunk_steps = tokens, batch_size, chunk
        self._boundaries = _boundaries(document_starts, len(tokens))
        lanes, pairs = batch_size * world_size, max(0, len(tokens) - 1)
        # In Python's whole numbers: lane * pairs may not fit into 64 bits.
        edges = np.array([lane * pairs // lanes for lane in range(lanes + 1)], dtype=np.int64)
        mine = edges[rank * batch_size : (rank + 1) * batch_size + 1]
        self._starts, self._ends = mine[:-1], mine[1:]
        self._steps = (pairs + lanes - 1) // lanes  # of the longest lane of all ranks
        self.num_crossing = len(self._boundaries)
        self.num_targets = pairs - self.num_crossing

    def __len__(self) -> int:
        """Return the number of chunks of one pass, the same on every rank; 0 for a stream of fewer than 2 tokens."""
        return (self._steps + self.chunk_steps - 1) // self.chunk_steps

    def __iter__(self) -> Iterator[Chunk]:
        """Return all chunks in order."""
        return self.iterate()

    def iterate(self, start: int = 0) -> Iterator[Chunk]:
        """Give the chunks from index `start` on (`len(lanes)`: none); InputError outside of 0 .. len."""
        if not 0 <= start <= len(self):
            raise InputError(f"a pass starts at a chunk from 0 to {len(self)}, got {start}")
        return (self.chunk(index) for index in range(start, len(self)))

    def begin_epoch(self, epoch: int) -> None:
        """Do nothing: every epoch reads the same chunks in the same order, as a stream has to be read."""

    def chunk(self, index: int) -> Chunk:
        """Give chunk `index`; InputError when it is not in 0 .. len - 1."""
        if not 0 <= index < len(self):
            raise InputError(f"there is no chunk {index}: these lanes have {len(self)}")
        begin = index * self.chunk_steps
        steps = np.arange(begin, min(begin + self.chunk_steps, self._steps), dtype=np.int64)[:, None]
        positions = self._starts + steps  # [T, B]
        running = positions < self._ends
        # Lanes that have ended read place 0, which is there, and what they read is masked below.
        here = np.where(running, positions, 0)
        crossing = self._is_boundary(here + 1)
        return Chunk(
            inputs=_tensor(np.where(running, self.tokens[here], 0)),
            targets=_tensor(np.where(running, self.tokens[here + 1], 0)),
            reset=torch.from_numpy((steps == 0) | (running & self._is_boundary(here))),
            valid=torch.from_numpy(running & ~crossing),
        )

    def _is_boundary(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        if not len(self._boundaries):
            return np.zeros(positions.shape, dtype=np.bool_)
        # Boundaries are sorted: a look-up costs log D for D documents, and no mask of the length of the text is kept.
        places = np.searchsorted(self._boundaries, positions).clip(max=len(self._boundaries) - 1)
        found: npt.NDArray[np.bool_] = self._boundaries[places] == positions
        return found


def _boundaries(document_starts: npt.NDArray[np.integer[Any]], tokens: int) -> npt.NDArray[np.int64]:
    """Return the places where a new document begins inside the stream, each once: empty documents leave no trace."""
    starts = np.asarray(document_starts)
    if starts.ndim != 1 or (starts.size and starts.dtype.kind not in "iu"):
        raise InputError(f"document starts are whole numbers in one dimension, got {starts.dtype}")
    starts = starts.astype(np.int64)
    if not valid_starts(starts, tokens):
        raise InputError(f"document starts begin at 0 and do not fall, and none is beyond the {tokens} tokens")
    unique = np.unique(starts)
    return unique[(unique > 0) & (unique < tokens)]


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is at least 1, got {size}")


def _tensor(ids: npt.NDArray[np.integer[Any]]) -> Tensor:
    return torch.from_numpy(ids.astype(np.int64))
