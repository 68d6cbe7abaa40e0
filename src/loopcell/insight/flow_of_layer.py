"""The gradient in one layer and direction, step by step, beside what linear theory predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcell.insight.dynamics import StepDynamics

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FlowOfLayer:
    """The gradient in one layer and direction.

    Attributes:
        layer: its number.
        direction: 0 along the sequence, 1 against it.
        norms: by state, ||dL/ds_t|| [T]: the root mean square over the batch's rows. Every path to the loss counts:
            later steps, the layers above, the output.
        dynamics: the Jacobian's figures along the sequence; None where they were not asked for.
    """

    layer: int
    direction: int
    norms: Mapping[str, Numbers]
    dynamics: StepDynamics | None

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

        0 is a gradient that holds; -0.1 one that loses a tenth at each step back. NaN where none arrives.
        """
        norms = self.back(state)
        reached = np.flatnonzero((norms > np.finfo(np.float64).tiny) & np.isfinite(norms))
        if len(reached) < 2:
            return float("nan")
        return float(np.polyfit(reached, np.log(norms[reached]), 1)[0])
