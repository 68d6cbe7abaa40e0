"""Run: one loop on tensors, by the kind of kernel that is chosen."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import Tensor

from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.resident import resident_kernel
from loopcell.backends.triton.launch.blocked import run_blocked
from loopcell.backends.triton.launch.choose import KernelChoice, blocked_of, choose
from loopcell.backends.triton.launch.constants import of_resident
from loopcell.backends.triton.launch.launch import launch
from loopcell.backends.triton.launch.memory import CallShape, ragged
from loopcell.backends.triton.launch.tensors import LoopTensors, Tensors
from loopcell.backends.triton.toolchain.device import limits_of
from loopcell.equations.keys import Key


def run_loop(
    loop: Loop, leaves: Tensors, to: Tensors, shape: CallShape, histories: Tensors | None = None
) -> tuple[dict[Key, Tensor], Tensors]:
    """Run a loop.

    Args:
        loop: forward, or reverse.
        leaves: what it reads, by key; for a reverse loop the cotangents of the states among them.
        to: what it writes, states aside, by key.
        shape: of the call.
        histories: of the forward loop, which a reverse loop reads.

    Returns:
        The states after the last step, or their cotangents before the first one, [B, n] by key; and the histories.
    """
    call = LoopTensors(loop, shape, leaves, to, histories or {})
    like = call.like
    if histories is None:
        rows = (shape.steps + 1, shape.batch)
        kept = {key: shape.empty(like, (*rows, call.width(key))) for key in loop.histories}
        call = LoopTensors(loop, shape, leaves, to, kept)
    choice = choose(loop, shape.sizes, shape.batch, shape.steps, like.element_size(), limits_of(like.device))
    if not shape.batch:
        call.finals.update({key: like.new_empty((0, call.width(key))) for key in loop.states})
    elif choice.kind == "resident":
        _run_resident(call, choice)
    else:
        run_blocked(call, blocked_of(loop), choice)
    return call.finals, call.histories


@lru_cache(maxsize=512)
def _resident(loop: Loop) -> KernelText:
    return resident_kernel(loop)


def _run_resident(call: LoopTensors, choice: KernelChoice) -> None:
    kernel, shape = _resident(call.loop), call.shape
    call.finals.update({key: call.like.new_empty((shape.batch, call.width(key))) for key in call.loop.states})
    given: dict[str, Any] = {slot.name: call.of(slot) for slot in kernel.slots}
    given |= {**ragged(shape, call.like.device), "B": shape.batch, "T": shape.steps}
    constants = of_resident(call.loop, shape.sizes, choice)
    launch(kernel, (-(-shape.batch // choice.rows),), given, constants, choice, call.like)
