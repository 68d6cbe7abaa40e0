"""A job for everybody: a network with its weights, an input, and what the gradient starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.comparison import Observed
from benchmarks.grid import Shape

CLASSES: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
STATES = {"rnn": ("h",), "lstm": ("h", "c"), "gru": ("h",)}

Network = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""From an input to the output and the final states."""


@dataclass(frozen=True)
class Task:
    """The task that everybody computes.

    Attributes:
        cell: "rnn", "lstm" or "gru".
        sizes: T, B, I, H.
        module: torch.nn's module; its weights are everybody's.
        x: the input [T, B, I].
        cotangent: the gradient that arrives at the output [T, B, D * H].
    """

    cell: str
    sizes: Shape
    module: nn.RNNBase
    x: Tensor
    cotangent: Tensor

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the cell's states."""
        return STATES[self.cell]


def make_task(cell: str, sizes: Shape, *, num_layers: int = 1, bidirectional: bool = False) -> Task:
    """Make a task; two calls with equal arguments give equal numbers."""
    torch.manual_seed(0)
    module = CLASSES[cell](sizes.I, sizes.H, num_layers, bidirectional=bidirectional)
    x = torch.randn(sizes.T, sizes.B, sizes.I)
    cotangent = torch.randn(sizes.T, sizes.B, sizes.H * (1 + bidirectional))
    return Task(cell, sizes, module, x, cotangent)


def named(y: Tensor, states: tuple[Tensor, ...]) -> Observed:
    """Name what a forward pass gives."""
    return {"the output": y.detach()} | {f"final state {i}": state.detach() for i, state in enumerate(states)}


def named_gradients(y: Tensor, names: list[str], gradients: tuple[Tensor, ...]) -> Observed:
    """Name what a training pass gives."""
    return {"the output": y.detach()} | {
        f"the gradient of {name}": gradient for name, gradient in zip(names, gradients, strict=True)
    }
