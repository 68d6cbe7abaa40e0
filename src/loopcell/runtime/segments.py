"""Segments: a few steps at a time, of which only the states between them are saved for backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.runtime.asked import asked_for, backend
from loopcell.runtime.kernels import RunResults


def run_in_segments(
    run: Callable[..., tuple[RunResults, Any]],
    leaves: dict[Key, Tensor],
    weights: Weights,
    lengths: Lengths,
    segment: int,
    *,
    by_step: set[Key],
    states: Sequence[Key],
) -> RunResults:
    """Run a few steps at a time; what lies between two segments is computed again in the backward pass.

    Args:
        run: runs a cell on the three arguments that follow.
        leaves: the input, the states, the draws, by key.
        weights: the parameters.
        lengths: where rows end and start afresh.
        segment: steps between the states that are saved.
        by_step: keys of the leaves that have values for every step.
        states: keys of the states, in the cell's order.
    """
    run = _as_asked_for_now(run)
    # Split, not sliced: the gradient of many slices would be as many tensors of the whole length.
    parts = {key: torch.split(leaves[key], segment) for key in by_step if key in leaves}
    outputs = []
    for number, start in enumerate(range(0, lengths.steps, segment)):
        now = {**leaves, **{key: split[number] for key, split in parts.items()}}
        rest = lengths.segment(start, min(start + segment, lengths.steps))
        # Draws are among the leaves already, so the second forward pass draws nothing and needs no state of the
        # generator.
        (y, after, _), _ = checkpoint(run, now, weights, rest, use_reentrant=False, preserve_rng_state=False)
        outputs.append(y)
        leaves = {**leaves, **dict(zip(states, after, strict=True))}
    return torch.cat(outputs), [leaves[key] for key in states], {}


def _as_asked_for_now(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a run on the back end that is asked for here: the backward pass comes later, perhaps in another thread."""
    name = asked_for()

    def running(*arguments: Any) -> Any:
        with backend(name):
            return run(*arguments)

    return running
