"""The gradient in one layer and direction, step by step, beside what linear theory predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.insight.dynamics import StepDynamics

Numbers = npt.NDArray[np.float64]


def norms_by_steps_back(gradient: Tensor, rows: Lengths) -> Numbers:
    """Return the norms of a gradient by steps back, from the step that each row reads last, [T] of [T, B, n].

    The root mean square over the rows that are so long; T is that of the longest row.

    Args:
        gradient: in the order in which its direction reads.
        rows: where they end.
    """
    squares = rows.reverse(gradient.detach()).double().square().sum(-1)
    if rows.mask is None:
        means = squares.mean(1)
    else:
        counts = rows.mask.sum(1)
        means = (squares.sum(1) / counts)[counts > 0]
    norms: Numbers = means.sqrt().cpu().numpy()
    return norms


def least_norm(gradients: Iterable[Tensor]) -> float:
    """Return the norm below which numbers of the gradients' type lose digits: they are denormal, or 0."""
    return max((torch.finfo(one.dtype).tiny * one.shape[-1] ** 0.5 for one in gradients), default=0.0)


@dataclass(frozen=True, eq=False)
class FlowOfLayer:
    """The gradient in one layer and direction.

    Attributes:
        layer: its number.
        direction: 0 along the sequence, 1 against it.
        norms: by state, ||dL/ds_t|| [T]: the root mean square over the batch's rows. Every path to the loss counts:
            later steps, the layers above, the output. Where rows end at different steps, T is that of the longest and
            each is counted from the step that it reads last: `norms[-1 - k]` (against the sequence `norms[k]`) is that
            k steps back from there, over the rows that are so long.
        dynamics: the Jacobian's figures along the sequence; None where they were not asked for.
        least: the norm below which the network's type of numbers loses digits; what is below has no slope.
    """

    layer: int
    direction: int
    norms: Mapping[str, Numbers]
    dynamics: StepDynamics | None
    least: float = float(np.finfo(np.float64).tiny)

    def back(self, state: str) -> Numbers:
        """Return the norms of a state against the order in which the direction reads: from the last step back."""
        return self.norms[state] if self.direction else self.norms[state][::-1]

    def predicted(self, state: str) -> Numbers | None:
        """Return the norms by linear theory, [T] in the order of `norms`; None without dynamics or gradient.

        A straight line in the log, by `dynamics.predicted_slope`, through the norm that is nearest to where the reading
        ends.
        """
        norms = self.back(state)
        reached = np.flatnonzero((norms > 0) & np.isfinite(norms))
        if self.dynamics is None or not len(reached):
            return None
        first = int(reached[0])
        with np.errstate(invalid="ignore", over="ignore"):
            line = norms[first] * np.exp(self.dynamics.predicted_slope * (np.arange(len(norms)) - first))
        found: Numbers = line if self.direction else line[::-1]
        return found

    def slope(self, state: str) -> float:
        """Return the growth of log ||dL/ds_t|| for one step back, fitted over all steps that a gradient reaches.

        0 is a gradient that holds; -0.1 one that loses a tenth at each step back. Norms below `least` do not count. NaN
        where fewer than two are above.
        """
        norms = self.back(state)
        reached = np.flatnonzero((norms > self.least) & np.isfinite(norms))
        if len(reached) < 2:
            return float("nan")
        return float(np.polyfit(reached, np.log(norms[reached]), 1)[0])
