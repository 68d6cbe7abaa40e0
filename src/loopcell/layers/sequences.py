"""Sequences in a batch: lengths, resets, reading backwards, packed input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loopcell.errors import InputError
from loopcell.runtime import Rows


@dataclass(frozen=True)
class Ragged(Rows):
    """How the rows of a batch [T, B] run, in both reading directions."""

    def forwards(self) -> Rows:
        """Return the rows as they are read in the order of time."""
        return Rows(self.steps, self.lengths, self._starts())

    def backwards(self) -> Rows:
        """Return the reversed rows: a row starts afresh where an episode ends."""
        starts = self._starts()
        if starts is None:
            return Rows(self.steps, self.lengths)
        starts_next = torch.cat([starts[1:], torch.zeros_like(starts[:1])])
        return Rows(self.steps, self.lengths, self.reverse(starts_next))

    def reverse(self, x: Shaped[Tensor, "T B *rest"]) -> Shaped[Tensor, "T B *rest"]:
        """Return [T, B, ...] with every row's valid part reversed; its own inverse."""
        if self.lengths is None:
            return x.flip(0)
        time = torch.arange(self.steps, device=x.device).unsqueeze(1)
        lengths = self.lengths.to(x.device)
        source = torch.where(time < lengths, lengths - 1 - time, time)
        if x.dim() > source.dim():
            source = source.unsqueeze(-1).expand(-1, -1, *x.shape[2:])
        return x.gather(0, source)

    def _starts(self) -> Tensor | None:
        """Return the resets within rows: what lies past a row's end is no episode of this row."""
        valid = self.valid()
        return self.reset if self.reset is None or valid is None else self.reset & valid


def ragged(x: Shaped[Tensor, "T B I"], lengths: Tensor | None, reset: Tensor | None) -> Ragged:
    """Check lengths and resets against the input [T, B, I].

    Args:
        x: the input, time first.
        lengths: whole numbers [B] from 0 to T, on any device, in any order.
        reset: bool [T, B], true on the first step of an episode.

    Raises:
        InputError: a shape, dtype or value is off.
    """
    steps, batch = x.shape[:2]
    return Ragged(steps, _checked_lengths(lengths, steps, batch, x), _checked_reset(reset, steps, batch, x))


def _checked_lengths(lengths: Tensor | None, steps: int, batch: int, x: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    if not isinstance(lengths, Tensor):
        lengths = torch.as_tensor(lengths)
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise InputError(
            f"lengths must be whole numbers [{batch}], one a row; got {lengths.dtype} {list(lengths.shape)}"
        )
    if lengths.device.type == "cpu" and batch and not torch.compiler.is_compiling():
        _check_range(lengths, steps)
    return lengths.to(device=x.device, dtype=torch.int64)


def _checked_reset(reset: Tensor | None, steps: int, batch: int, x: Tensor) -> Tensor | None:
    if reset is None:
        return None
    came = getattr(reset, "dtype", type(reset).__name__)
    if came != torch.bool:
        raise InputError(f"reset must be a bool tensor, true on the first step of an episode; got {came}")
    if reset.shape != (steps, batch):
        raise InputError(
            f"reset must have one entry a step and row, [{steps}, {batch}] with time first; got {list(reset.shape)}"
        )
    return reset.to(x.device)


def _check_range(lengths: Tensor, steps: int) -> None:
    """Check the values, where reading them costs nothing: on other devices it would wait for the device."""
    try:
        shortest, longest = int(lengths.min()), int(lengths.max())
    except RuntimeError:  # inside torch.func.vmap a tensor has no values to read
        return
    if shortest < 0 or longest > steps:
        raise InputError(
            f"lengths must lie between 0 and the number of steps, {steps}; they run from {shortest} to {longest}"
        )


def unpack(packed: PackedSequence) -> tuple[Float[Tensor, "T B I"], Int64[Tensor, " B"]]:
    """Return a packed batch as padded rows [T, B, I] in packed (sorted) order, and their lengths."""
    plain = PackedSequence(packed.data, packed.batch_sizes)
    padded, lengths = pad_packed_sequence(plain)
    return padded, lengths


def repack(y: Float[Tensor, "T B O"], lengths: Int64[Tensor, " B"], like: PackedSequence) -> PackedSequence:
    """Return [T, B, O] in packed order as a PackedSequence laid out like the input's."""
    data = pack_padded_sequence(y, lengths.cpu(), enforce_sorted=True).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)
