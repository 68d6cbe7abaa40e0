"""The costs of a cell: time of a forward and of a training pass, and what is saved between the two.

The cells take turns, round after round, so that what else the machine does meets all of them. Each call is timed, and
the median over all of a cell is reported. Times are those of the processor, of all threads together: a call that had to
wait for other work would be as long as that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from loopcell.comparison.results import CellCost
from loopcell.layers.stack import Stack

ROUNDS = 7
BLOCK, FEWEST = 0.003, 3
"""Seconds and calls of a cell's turn, at least."""


class MeasuredLayers(NamedTuple):
    """Layers to measure, and what they read.

    Attributes:
        layers: recurrent layers.
        x: [T, B, I].
    """

    layers: Stack
    x: Tensor

    def forward(self) -> None:
        """Run without gradients."""
        with torch.no_grad():
            self.layers(self.x)

    def train(self) -> None:
        """Run forward and backward."""
        self.layers.zero_grad(set_to_none=True)
        y, _ = self.layers(self.x)
        torch.autograd.backward(y.sum())


def measured(cases: Mapping[str, MeasuredLayers], rounds: int | None = None) -> list[CellCost]:
    """Return what each cell's layers cost, measured in turns.

    Args:
        cases: by the cell's name.
        rounds: turns of each cell; None for the usual number.
    """
    rounds = ROUNDS if rounds is None else rounds
    forward: dict[str, list[float]] = {name: [] for name in cases}
    training: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            forward[name] += _milliseconds(case.forward)
            training[name] += _milliseconds(case.train)
    return [_cost(name, case, forward[name], training[name], rounds) for name, case in cases.items()]


def saved_bytes(layers: Stack, x: Tensor) -> int:
    """Return the bytes of the tensors that autograd saves in a forward pass, without the parameters and the input."""
    known = {_place(tensor) for tensor in (*layers.parameters(), x)}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _place(tensor) not in known:
            found[_place(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = layers(x)  # held until it is counted, so that no storage takes the place of another
    del result
    return sum(found.values())


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _cost(name: str, case: MeasuredLayers, forward: list[float], training: list[float], rounds: int) -> CellCost:
    steps, batch = case.x.shape[:2]
    return CellCost(
        cell=name,
        hidden_size=case.layers.hidden_size,
        parameters=sum(parameter.numel() for parameter in case.layers.parameters()),
        forward_ms=statistics.median(forward),
        training_ms=statistics.median(training),
        saved_bytes=saved_bytes(case.layers, case.x),
        steps=steps,
        batch=batch,
        rounds=rounds,
    )


def _milliseconds(call: Callable[[], Any]) -> list[float]:
    """Return the times of the calls of a turn; before them comes one that is not timed."""
    call()
    found: list[float] = []
    while len(found) < FEWEST or sum(found) < 1e3 * BLOCK:
        began = time.process_time()
        call()
        found.append(1e3 * (time.process_time() - began))
    return found
