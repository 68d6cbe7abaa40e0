"""The scaler that lives in the model: mean 0 and standard deviation 1 for each input, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.data.examples.arrays import Doubles, as_doubles
from loopcell.data.examples.scale import scale_of
from loopcell.data.examples.sequences import check_finite
from loopcell.errors import DataError, InputError


class Standardiser(nn.Module):
    """Subtracts the mean of each of I inputs and divides by its standard deviation.

    A module without parameters: what it learned is in buffers, so it moves, is saved and is loaded with the model.
    Numbers far from zero are to be given in float64: in float32 they are rounded before it sees them.

    Attributes:
        mean: `[I]`.
        rest: `[I]`, what the dtype of `mean` could not hold of it, which is subtracted too.
        scale: `[I]`, the standard deviation (of the population), 1 where an input never changes.
    """

    mean: Tensor
    rest: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        """Make one for I inputs that changes nothing until it is fitted."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("rest", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, sequences: Iterable[npt.ArrayLike]) -> Self:
        """Learn from sequences `[T, I]`, one after the other, in double precision.

        Raises:
            DataError: there is no step at all, or a NaN or an infinity, or a deviation that the buffers cannot hold.
            InputError: a sequence has another I.
        """
        mean, scale = (torch.from_numpy(part) for part in scale_of(self._checked(sequences), len(self.mean)))
        self.mean.copy_(mean)
        self.rest.copy_(mean - self.mean.double().cpu())
        self.scale.copy_(scale)
        if not bool((self.scale > 0).all()):
            raise DataError(f"a deviation is below the least {self.scale.dtype}; call .double() before .fit(...)")
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Scale `[..., I]`."""
        return (x - self.mean - self.rest) / self.scale

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`, `[..., I]`."""
        return x * self.scale + self.rest + self.mean

    def _checked(self, sequences: Iterable[Any]) -> Iterator[Doubles]:
        for index, sequence in enumerate(sequences):
            steps = as_doubles(sequence, f"sequence {index}")
            if steps.ndim != 2 or steps.shape[1] != len(self.mean):
                raise InputError(f"sequence {index} is to be [T, {len(self.mean)}], got {list(steps.shape)}")
            check_finite(steps, f"sequence {index}")
            yield steps

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take what was saved before `rest` was there."""
        if f"{prefix}mean" in state_dict:
            state_dict.setdefault(f"{prefix}rest", torch.zeros_like(state_dict[f"{prefix}mean"]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
