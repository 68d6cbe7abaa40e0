"""Sequences in a batch: the lengths and resets that a caller gives, and packed input."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loopcell.errors import TensorError
from loopcell.runtime import Lengths


def checked_lengths(x: Shaped[Tensor, "T B I"], lengths: Tensor | None, reset: Tensor | None) -> Lengths:
    """Check lengths and resets against the input [T, B, I].

    Args:
        x: the input, time first.
        lengths: whole numbers [B] from 0 to T, on any device, in any order; see `as_lengths`.
        reset: bool [T, B], true on the first step of an episode; see `check_reset`.

    Raises:
        TensorError: a shape, dtype or value is off.
    """
    steps, batch = x.shape[:2]
    checked = _checked_lengths(lengths, steps, batch, x)
    host = None
    if checked is not None and checked.device.type != "cpu" and lengths is not None and lengths.device.type == "cpu":
        host = lengths.to(torch.int64, copy=True)  # torch's own operators want them there
    made = Lengths(steps, checked, None, None, host)
    return made if reset is None else made.with_reset(_checked_reset(reset, steps, batch, x))


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
    """Check that resets are a bool tensor.

    Raises:
        TensorError: they are not.
    """
    came = reset.dtype if isinstance(reset, Tensor) else type(reset).__name__
    if came != torch.bool:
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


def dropped(
    x: Float[Tensor, "T B O"], probability: float, rows: Lengths, *, training: bool, packed: bool
) -> Float[Tensor, "T B O"]:
    """Return a layer's outputs after dropout; where the input was packed, drawn for valid steps alone.

    So torch.nn draws, and one seed gives the same run.
    """
    if not (packed and training and rows.lengths is not None):
        return functional.dropout(x, probability, training)
    valid = pack_padded_sequence(x, rows.lengths.cpu())
    after = PackedSequence(functional.dropout(valid.data, probability), valid.batch_sizes)
    return pad_packed_sequence(after, total_length=rows.steps)[0]
