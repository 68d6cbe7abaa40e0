"""The next piece of a stream, as a network reads it; what tells of gaps goes from piece to piece in the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loopcell.data import pad
from loopcell.layers import State
from loopcell.tasks.core.estimator import as_part
from loopcell.tasks.core.inputs import ArrayInput, Input
from loopcell.tasks.core.inputs.gaps import LastSeen

# In a state beside those of the cell, float64 [1, 1, n]: the last values, when they were, the time of the last step.
NAMES = dict(zip(LastSeen._fields, ("last_value", "last_seen", "last_time"), strict=True))


def read_piece(
    reads: Input, steps: Any, times: Any, state: State | None
) -> tuple[Tensor, Callable[[State], State], State | None]:
    """Read a piece of one sequence.

    Args:
        reads: how X becomes sequences.
        steps: the piece.
        times: of its steps, [T], where training had times.
        state: what the piece before left; None at the beginning.

    Returns:
        The piece as the network takes it, [T, 1] or [T, 1, I]; what makes the state to go on from of the network's;
        and the network's state before the piece. Errors as `ArrayInput.piece`.
    """
    if not isinstance(reads, ArrayInput):
        (sequence,) = reads.sequences(as_part([steps], "steps"))
        return pad([sequence]).values, lambda after: after, state
    before, own = _divided(state)
    sequence, carried = reads.piece(steps, "steps", times, before)
    return pad([sequence]).values, lambda after: _joined(after, carried), own


def _divided(state: State | None) -> tuple[LastSeen | None, State | None]:
    if state is None or NAMES["time"] not in state:
        return None, state
    carried = LastSeen(*(state[name][0, 0].double().cpu().numpy() for name in NAMES.values()))
    return carried, State.of({name: tensor for name, tensor in state.items() if name not in NAMES.values()})


def _joined(state: State, carried: LastSeen | None) -> State:
    if carried is None:
        return state
    more = {NAMES[name]: torch.from_numpy(np.array(part))[None, None] for name, part in carried._asdict().items()}
    return State.of({**state, **more})
