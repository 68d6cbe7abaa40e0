"""Drift: how far the outputs of one network move away from those of another, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.layers.boundary import described


@dataclass(frozen=True, eq=False)
class Drift:
    """The difference that narrow weights make on some data.

    Attributes:
        weight_error: the largest error of a weight, relative to the largest weight of its row.
        by_step: [T], the largest difference of an output at each step, in the output's unit.
        relative: the root mean square of all differences over that of all outputs; NaN where one of these is.
    """

    weight_error: float
    by_step: Tensor
    relative: float

    @property
    def largest(self) -> float:
        """The largest difference of an output; 0 where there is none."""
        return float(self.by_step.max()) if len(self.by_step) else 0.0

    def __str__(self) -> str:
        steps, last = len(self.by_step), float(self.by_step[-1]) if len(self.by_step) else 0.0
        return (
            f"weights off by at most {self.weight_error:.2%} of their row's largest; outputs over {steps:,} steps "
            f"by {self.relative:.2%} of their size, at most {self.largest:.2g}, at the last step {last:.2g}"
        )


def batch_of(x: object, inputs: Mapping[str, Tensor]) -> int:
    """Return B of a sequence.

    Raises:
        InputError: it is no tensor [T, B, I] of at least one row, or a further input has not T steps.
    """
    if not isinstance(x, Tensor) or x.dim() != 3 or not x.shape[1]:
        raise InputError(f"what steppers are compared on is a tensor [T, B, I] of at least one row; got {described(x)}")
    for name, tensor in inputs.items():
        if not isinstance(tensor, Tensor) or tensor.shape[:1] != x.shape[:1]:
            raise InputError(f"`{name}` must have the {len(x)} steps of the input; got {described(tensor)}")
    return x.shape[1]


def drift(
    truth: Callable[..., Tensor],
    other: Callable[..., Tensor],
    weight_error: float,
    x: Tensor,
    inputs: Mapping[str, Tensor],
) -> Drift:
    """Take the steps of a sequence [T, B, I] twice, and return the difference; what `truth` gives is right."""
    by_step, off, size = [], 0.0, 0.0
    for t, now in enumerate(x):
        further = {name: tensor[t] for name, tensor in inputs.items()}
        right = truth(now, **further).double()
        difference = (other(now, **further).double() - right).abs()
        by_step.append(difference.max())
        off, size = off + float(difference.square().sum()), size + float(right.square().sum())
    steps = torch.stack(by_step) if by_step else torch.zeros(0, dtype=torch.float64)
    return Drift(weight_error, steps, (off / size) ** 0.5 if size else math.inf if off else 0.0)
