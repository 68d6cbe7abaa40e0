"""Sequences in a batch: lengths, resets, reading backwards, packed input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loopcell.errors import TensorError
from loopcell.runtime import Rows


@dataclass(frozen=True)
class Reading(Rows):
    """The rows as one direction reads them.

    Attributes:
        mask: what `valid` returns: made once, it serves every layer and both directions.
    """

    mask: Bool[Tensor, "T B"] | None = None

    def valid(self) -> Bool[Tensor, "T B"] | None:
        """Return where there is something to compute; None where everywhere."""
        return self.mask


@dataclass(frozen=True)
class Ragged(Reading):
    """How the rows of a batch [T, B] run, in the order of time."""

    def directions(self, count: int) -> list[Rows]:
        """Return the rows as each of 1 or 2 directions reads them: in the order of time, and reversed."""
        return [self, self._backwards()] if count > 1 else [self]

    def reverse(self, x: Shaped[Tensor, "T B *rest"]) -> Shaped[Tensor, "T B *rest"]:
        """Return [T, B, ...] with every row's valid part reversed; its own inverse."""
        if self.lengths is None:
            return x.flip(0)
        time = torch.arange(self.steps, device=x.device).unsqueeze(1)
        lengths = self.lengths.to(x.device).clamp(max=self.steps)  # nobody has looked at those on a GPU
        source = torch.where(time < lengths, lengths - 1 - time, time)
        if x.dim() > source.dim():
            source = source.unsqueeze(-1).expand(-1, -1, *x.shape[2:])
        return x.gather(0, source)

    def without_padding(self, x: Float[Tensor, "T B I"]) -> Float[Tensor, "T B I"]:
        """Return the input with zeros past every row's end, where a NaN would enter the gradients as 0 * NaN."""
        return x if self.mask is None else torch.where(self.mask.unsqueeze(-1), x, 0.0)

    def _backwards(self) -> Rows:
        """Return the reversed rows: a row starts afresh where an episode ends."""
        if self.reset is None:
            return Reading(self.steps, self.lengths, None, self.mask)
        starts_next = torch.cat([self.reset[1:], torch.zeros_like(self.reset[:1])])
        return Reading(self.steps, self.lengths, self.reverse(starts_next), self.mask)


def ragged(x: Shaped[Tensor, "T B I"], lengths: Tensor | None, reset: Tensor | None) -> Ragged:
    """Check lengths and resets against the input [T, B, I].

    Args:
        x: the input, time first.
        lengths: whole numbers [B] from 0 to T, on any device, in any order; see `as_lengths`.
        reset: bool [T, B], true on the first step of an episode; see `check_reset`.

    Raises:
        TensorError: a shape, dtype or value is off.
    """
    steps, batch = x.shape[:2]
    lengths = _checked_lengths(lengths, steps, batch, x)
    reset = _checked_reset(reset, steps, batch, x)
    if lengths is None and reset is None:
        return Ragged(steps)
    mask = Rows(steps, lengths).valid()
    # What lies past a row's end is no episode of this row.
    return Ragged(steps, lengths, reset if reset is None or mask is None else reset & mask, mask)


def as_lengths(lengths: object, batch: int) -> Tensor | None:
    """Return lengths as a tensor, whatever holds them.

    Raises:
        TensorError: no tensor can be made of them.
    """
    if lengths is None or isinstance(lengths, Tensor):
        return lengths
    try:
        tensor = torch.as_tensor(lengths, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise TensorError(
            f"lengths must be whole numbers [{batch}], one a row; got a {type(lengths).__name__} of something else"
        ) from None
    return tensor if tensor.numel() else tensor.long()  # an empty list has no type of its own


def check_reset(reset: object) -> None:
    """Check that resets, if there are any, are a bool tensor.

    Raises:
        TensorError: they are not.
    """
    came = reset.dtype if isinstance(reset, Tensor) else type(reset).__name__
    if reset is not None and came != torch.bool:
        raise TensorError(f"reset must be a bool tensor, true on the first step of an episode; got {came}")


def _checked_lengths(lengths: Tensor | None, steps: int, batch: int, x: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise TensorError(
            f"lengths must be whole numbers [{batch}], one a row; got {lengths.dtype} {list(lengths.shape)}"
        )
    if lengths.device.type == "cpu" and batch and not torch.compiler.is_compiling():
        _check_range(lengths, steps)
    return lengths.to(device=x.device, dtype=torch.int64, copy=True)  # see `_checked_reset`


def _checked_reset(reset: Tensor | None, steps: int, batch: int, x: Tensor) -> Tensor | None:
    if reset is None:
        return None
    if reset.shape != (steps, batch):
        raise TensorError(
            f"reset must have one entry a step and row, [{steps}, {batch}] with time first; got {list(reset.shape)}"
        )
    # The gradient reads it again, when the caller may long have filled the same tensor with the next episodes. Always a
    # copy, since a trace must not depend on whether gradients are enabled.
    return reset.to(x.device).clone(memory_format=torch.contiguous_format)


def _check_range(lengths: Tensor, steps: int) -> None:
    """Check the values, where reading them costs nothing: on other devices it would wait for the device."""
    try:
        shortest, longest = int(lengths.min()), int(lengths.max())
    except RuntimeError:  # inside torch.func.vmap a tensor has no values to read
        return
    if shortest < 0 or longest > steps:
        raise TensorError(
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
