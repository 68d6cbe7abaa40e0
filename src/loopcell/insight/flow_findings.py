"""The fate of a gradient in one state of one layer, as numbers and in words, and what helps against it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from loopcell.insight.flow_of_layer import FlowOfLayer

FLAT = 2.0
"""Powers of ten over the sequence within which a gradient is said to hold."""
GROWS = 2.0
"""Times as large: a gradient that becomes larger than this by itself is said to grow."""

Fate = Literal["broken", "none", "explodes", "grows", "vanishes", "enters", "holds"]
Cure = Literal["", "clip", "chrono", "gated"]


class Finding(NamedTuple):
    """The fate of the gradient of a state.

    Attributes:
        layer: its number.
        direction: 0 along the sequence, 1 against it.
        state: its name.
        fate: no number any more, none arrives, it explodes, grows, vanishes, only enters where nothing flows back, or
            holds.
        factor: what becomes of it: how many times as large, or how much is left.
        steps: over how many steps.
        cure: what helps: to clip, chrono initialisation, or a gated cell; "" where nothing has to.
        under: less than `factor` is left: how much, the network's type of numbers cannot say.
    """

    layer: int
    direction: int
    state: str
    fate: Fate
    factor: float = 1.0
    steps: int = 0
    cure: Cure = ""
    under: bool = False

    def sentence(self) -> str:
        """Say it in words."""
        where = f"layer {self.layer}{', backward' if self.direction else ''}, {self.state}"
        cure, most = CURES[self.cure], "less than " if self.under else ""
        return {
            "broken": f"{where}: no number any more {self.steps} steps before the end; clip the gradient, or lower the "
            "rate",
            "none": f"{where}: no gradient arrives: the loss does not depend on it",
            "explodes": f"{where}: explodes: {self.factor:.0e} times as large after {self.steps} steps; {cure}",
            "grows": f"{where}: grows: {self.factor:.2g} times as large after {self.steps} steps",
            "vanishes": f"{where}: vanishes: {most}{self.factor:.0e} of it after {self.steps} steps; try {cure}",
            "enters": f"{where}: enters at the first step that it reads, from where nothing flows back",
            "holds": f"{where}: holds: {self.factor:.2g} of it after {self.steps} steps",
        }[self.fate]


CURES: dict[Cure, str] = {
    "": "",
    "clip": "clip the gradient, and try orthogonal initialisation (treatment='orthogonal') or a cell with layer "
    "normalisation",
    "chrono": "chrono initialisation (treatment='chrono')",
    "gated": "a gated cell such as lstm or gru, or orthogonal initialisation (treatment='orthogonal')",
}


def finding(layer: FlowOfLayer, state: str, *, gated: bool) -> Finding:
    """Return the fate of a state's gradient.

    Args:
        layer: the layer and direction.
        state: its name.
        gated: a gate of the cell keeps its state.
    """
    at, norms = (layer.layer, layer.direction, state), layer.back(state)
    if not np.isfinite(norms).all():
        return Finding(*at, "broken", steps=int(np.flatnonzero(~np.isfinite(norms))[0]))
    reached = np.flatnonzero(norms)
    if not len(reached):
        return Finding(*at, "none")
    # Below the top, gradients enter at every step; what grew by itself is what the step's own Jacobian makes grow.
    first, top, end = int(reached[0]), int(norms.argmax()), len(norms) - 1
    grown = float(norms[top] / norms[first])
    if grown > GROWS and (layer.dynamics.lyapunov > 0 if layer.dynamics else layer.slope(state) > 0):
        explodes = grown > 10**FLAT
        return Finding(*at, "explodes" if explodes else "grows", grown, top - first, "clip" if explodes else "")
    # The nearest step that has half of the largest norm: among equals the largest one would be chance.
    peak = int(np.argmax(norms >= norms[top] / 2))
    under, left = bool(norms[end] < layer.least), float(max(norms[end], layer.least) / norms[peak])
    if left < 10**-FLAT:
        return Finding(*at, "vanishes", left, end - peak, "chrono" if gated else "gated", under)
    if peak == end and layer.direction:
        return Finding(*at, "enters")
    return Finding(*at, "holds", left, end - peak)
