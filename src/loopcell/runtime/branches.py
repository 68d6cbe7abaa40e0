"""Branches of one cell: one step from one state with each of many inputs, with what they share computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from loopcell.backends.reference import branched_program, run_branches
from loopcell.backends.weights import Weights
from loopcell.equations import Cell
from loopcell.equations.keys import Key, state_keys
from loopcell.passes import build_program
from loopcell.runtime.asked import demanded
from loopcell.runtime.dispatch import narrow_results
from loopcell.runtime.execute import Executable
from loopcell.runtime.half import widened, widened_weights


def shares_a_step(cell: Cell, *, training: bool) -> bool:
    """Say whether branches of a cell may share what their state decides.

    Not in training where it draws numbers, which each branch draws for itself; nor where kernels are demanded, since
    it is PyTorch operations that run.
    """
    return not (training and cell.graph.is_random) and demanded() is None


def run_branched(
    executable: Executable, x: Tensor, states: Sequence[Tensor], weights: Weights, *, training: bool
) -> Tensor:
    """Run one step of a cell that `shares_a_step` from one state with each of m inputs.

    Half precision is widened: sums and products are float32, and the results are rounded.

    Args:
        executable: the cell, without further inputs.
        x: the inputs [m, *S, I], where S broadcasts to R.
        states: [*R, n] each, in the cell's order.
        weights: the parameters.
        training: take the equations as training has them.

    Returns:
        The outputs [m, *R, O].
    """
    dtype, narrow = executable.results_dtype(x, states), narrow_results(x.dtype, x.device)
    if narrow is None:
        return _run(executable, x, states, weights.named(), training=training)
    x, states = x.float(), widened(states)
    with torch.autocast(x.device.type, enabled=False):
        return _run(executable, x, states, widened_weights(weights).named(), training=training).to(dtype)


def _run(
    executable: Executable, x: Tensor, states: Sequence[Tensor], weights: Mapping[str, Tensor], *, training: bool
) -> Tensor:
    graph = executable.cell.graph
    branched = branched_program(build_program(graph, training=training))
    leaves: dict[Key, Tensor | int] = {Key("size", name): size for name, size in executable.sizes.items()}
    leaves |= {Key("input", name): x for name in graph.inputs}
    leaves |= dict(zip(state_keys(graph.states), states, strict=True))
    leaves |= {Key("parameter", name): weight for name, weight in weights.items()}
    return run_branches(branched, leaves, (len(x), *states[0].shape[:-1], executable.output_size))
