"""The looks of a training at its own layers: saturated gates, dead units, and how far back a gradient reaches.

The loop knows neither layers nor gates. A task hands it a function that measures them on one batch; the loop says when,
always on the same batch, and hands on what was found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["saturated", "dead", "gradient", "slope"]


class Measure(NamedTuple):
    """One number of a layer.

    Attributes:
        layer: its name, with the direction where there are two.
        kind: "saturated": the share of a gate's values at an end of its range; "dead": the share of units that give the
            same number throughout; "gradient": the norm of the gradient of the last output with respect to a state, so
            many steps back; "slope": the growth of the log of that norm for one step back.
        name: the gate, the output or the state, by its name in the equations.
        value: the number; NaN or infinite where the gradient is.
        back: steps back; None where the kind has none.
    """

    layer: str
    kind: Kind
    name: str
    value: float
    back: int | None = None


Watch = Callable[[Any, Any], Sequence[Measure]]
"""Measures the layers on a chunk, from a state; it changes neither weights nor gradients nor what is drawn next."""


@dataclass(frozen=True)
class LayerLook:
    """The measures after an update.

    Attributes:
        update: updates so far; 0 is before the first.
        measures: of all layers.
    """

    update: int
    measures: Sequence[Measure]

    def summary(self) -> dict[str, float | None]:
        """Return the columns of metrics.csv: means over all gates and layers, and of the slopes the one nearest to 0.

        None where there is nothing of the kind: a cell without gates, a sequence of one step.
        """
        saturated, dead, slopes = (self._values(kind) for kind in ("saturated", "dead", "slope"))
        return {
            "saturated_gates": sum(saturated) / len(saturated) if saturated else None,
            "dead_units": sum(dead) / len(dead) if dead else None,
            "gradient_slope": max(slopes) if slopes else None,
        }

    def _values(self, kind: str) -> list[float]:
        return [one.value for one in self.measures if one.kind == kind and not math.isnan(one.value)]
