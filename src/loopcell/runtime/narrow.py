"""Narrow: one step of a cell with weights in bfloat16 or int8.

Matrices that the products of a step read are rounded; vectors, states and all other equations are float32. What a
narrow step computes is what the network would compute whose matrices had been rounded so. There is no other path than
kernels: narrow weights are for speed, and PyTorch operations on them would be slower than on the weights as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.c import Factors, ForwardPass, ForwardSignature, Launch, NarrowKernels
from loopcell.backends.c.launch.arguments import contiguous_rows
from loopcell.backends.c.launch.narrow import NarrowMatrix
from loopcell.backends.lengths import Lengths
from loopcell.backends.quantise import Int8Rows, int8_rows, relative_error
from loopcell.backends.weights import Weights
from loopcell.errors import InputError, UsageError, quoted
from loopcell.runtime.dispatch import described, first_obstacle, is_plain, observer
from loopcell.runtime.execute import Executable
from loopcell.runtime.obstacles import MIXED, Obstacle, other_tensor
from loopcell.runtime.programs import Programs

NARROW = {"bf16": Factors.BF16, "int8": Factors.INT8}
"""The widths of weights, by the names that a user gives."""


@dataclass(frozen=True, eq=False)
class NarrowStep:
    """One layer's step on narrow weights.

    Attributes:
        forward: what runs.
        launch: for a sequence of one step.
        tensors: of the call and of the weights.
        packs: the packed weights.
        error: the largest error of a weight, relative to the largest weight of its row.
    """

    forward: ForwardPass
    launch: Launch
    tensors: list[Tensor]
    packs: list[Tensor]
    error: float


def check_width(weights: str) -> None:
    """Refuse a width of weights that there is not.

    Raises:
        UsageError: it has another name.
    """
    if weights not in NARROW:
        known = " or ".join(f'"{name}"' for name in NARROW)
        raise UsageError(f"weights must be {known}, or None as they are; got {quoted(weights)}")


def narrow_step(
    executable: Executable,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Weights,
    width: str,
    further: Mapping[str, Tensor],
) -> NarrowStep:
    """Round a layer's weights, and return its step on them.

    Args:
        executable: the cell.
        x: the input [1, B, I], float32, as all tensors here.
        states: before the step, each [B, n].
        weights: the parameters.
        width: "bf16" or "int8".
        further: the further inputs [1, B, n], by name.

    Raises:
        UsageError: kernels cannot run here.
        InputError: the network is in float64, or an operand is too long.
        TensorError: a weight is NaN or infinite, and the width cannot hold it.
        BuildError: the compiler refused the kernel.
    """
    runner, leaves = executable.runner(training=False), executable.leaves(x, states, further)
    _check(width, [*leaves.values(), *weights.bases])
    kernels = narrow_kernels_of(runner.programs, NARROW[width])
    named = {name: tensor.detach() for name, tensor in weights.named().items()}
    matrices = {name: _rounded(name, named[name], width) for name in kernels.matrices()}
    wide = {name: _widened(matrix) for name, matrix in matrices.items()}
    leaves = {**leaves, **runner.programs.invariants(leaves, Weights.of({**named, **wide}), executable.sizes)}
    # The kernel never reads a matrix but its pack, so the network's own tensors stand in their places.
    given = Weights.of(named)
    shapes = tuple(base.shape for base in given.bases)
    signature = ForwardSignature(kernels, executable.sizes, tuple(leaves), given.layout, shapes)
    batch = x.shape[1]
    crew = runner.crew(1, batch)
    return NarrowStep(
        ForwardPass(signature, kernels.forward, saves=False),
        Launch(Lengths(1), batch, crew.threads, batch, team=crew.team),
        [contiguous_rows(tensor) for tensor in (*leaves.values(), *given.bases)],
        kernels.packs(matrices),
        max((relative_error(named[name], matrix) for name, matrix in wide.items()), default=0.0),
    )


@lru_cache(maxsize=64)
def narrow_kernels_of(programs: Programs, factors: Factors) -> NarrowKernels:
    """Return a program's loop with narrow weights, compiled once."""
    return NarrowKernels(programs.fused, factors)


def _rounded(name: str, matrix: Tensor, width: str) -> NarrowMatrix:
    return int8_rows(name, matrix) if width == "int8" else matrix.to(torch.bfloat16)


def _widened(matrix: NarrowMatrix) -> Tensor:
    return matrix.widened() if isinstance(matrix, Int8Rows) else matrix.float()


def _obstacle_here(tensors: Sequence[Tensor]) -> Obstacle | None:
    if not all(tensor.dtype == tensors[0].dtype and tensor.device == tensors[0].device for tensor in tensors):
        return MIXED
    strange = next((tensor for tensor in tensors if not is_plain(tensor)), None)
    if strange is not None:
        return other_tensor(described(strange))
    watcher = observer()
    return Obstacle(f"{watcher} looks on", "make the stepper where nothing does") if watcher else None


def _check(width: str, tensors: Sequence[Tensor]) -> None:
    """Refuse what no narrow kernel runs on, with the reason and its cure."""
    first = tensors[0]
    obstacle = first_obstacle(first.device, first.dtype) or _obstacle_here(tensors)
    if obstacle is not None:
        raise UsageError(
            f'a stepper with weights="{width}" runs on kernels alone, and they cannot run: {obstacle.reason}; '
            f"{obstacle.cure}, or leave `weights` out"
        )
    if first.dtype != torch.float32:
        kind = str(first.dtype).removeprefix("torch.")
        raise InputError(f'weights="{width}" is for a network in float32 or half precision; it is in {kind}')
