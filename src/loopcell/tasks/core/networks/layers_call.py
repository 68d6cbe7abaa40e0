"""A call of recurrent layers in the order of computation: time first, each direction as it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.equations.graph import Graph, Node
from loopcell.insight.capture import LayersCall
from loopcell.layers import State
from loopcell.layers.stack import Stack
from loopcell.runtime.programs import known_names


class Spot(NamedTuple):
    """One number of a call: a unit of a named quantity.

    Attributes:
        place: layer * D + direction.
        step: of the direction's own reading, from 0.
        order: of the quantity among the equations.
        name: the quantity.
        row, unit: from 0.
        value: the number.
    """

    place: int
    step: int
    order: int
    name: str
    row: int
    unit: int
    value: float


@dataclass(frozen=True, eq=False)
class OrderedCall:
    """A call, its rows and its quantities.

    Attributes:
        layers: which were called.
        name: the model's name of them; "" where it has no others.
        x: the input, [T, B, I].
        rows: their lengths and resets.
        initial: the states before the first step, [L * D, B, n] each, by name; none where they were zero.
        further: the cell's further inputs, [T, B, n] each, by name.
    """

    layers: Stack
    name: str
    x: Tensor
    rows: Lengths
    initial: dict[str, Tensor]
    further: dict[str, Tensor]

    @classmethod
    def of(cls, call: LayersCall, name: str) -> OrderedCall | None:
        """Bring a call into order; None for a PackedSequence and for one sequence without an axis of rows."""
        return cls(call.layers, name, *call.time_first()) if call.in_rows else None

    @property
    def graph(self) -> Graph:
        """The equations."""
        return self.layers.cell.graph

    @property
    def names(self) -> list[str]:
        """Return what has a name, in the order of the equations; what the cell hands on as it was is left out."""
        known = known_names(self.graph)
        by_index = {index: name for name, index in known.items() if self.graph.nodes[index].args}
        return [by_index[index] for index in sorted(by_index)]

    def node(self, name: str) -> Node:
        """Return the node of a quantity."""
        return self.graph.nodes[known_names(self.graph)[name]]

    def as_read(self, value: Tensor, place: int) -> Tensor:
        """Return values [T, B, n] in the order in which a direction reads them; its own inverse."""
        return self.rows.reverse(value) if place % self.layers.num_directions else value

    def not_finite(self, values: dict[str, list[Tensor]], *, latest: bool = False) -> Iterator[Spot]:
        """Yield a number of each quantity of each layer and direction that is not finite: at its first step, or latest.

        Args:
            values: by name, [T, B, n] of each layer and direction as it is read.
            latest: of the last such step, else of the first.
        """
        for order, name in enumerate(self.names):
            for place, value in enumerate(values[name]):
                bad = (~torch.isfinite(value)).nonzero()  # in the order of steps, rows, units
                if len(bad):
                    step, row, unit = bad[bad[:, 0] == bad[-1 if latest else 0, 0]][0].tolist()
                    yield Spot(place, step, order, name, row, unit, float(value[step, row, unit]))

    def turn(self, spot: Spot) -> tuple[int, int, int]:
        """Return when a number is computed: by steps, then layers, then equations.

        Where layers read in both directions, by layers first, since the next one waits for the whole sequence.
        """
        layer = spot.place // self.layers.num_directions
        return (layer, spot.step, spot.order) if self.layers.bidirectional else (spot.step, layer, spot.order)

    def recorded(self) -> dict[str, list[Tensor]]:
        """Make the call once more; each quantity as [T, B, n] of each layer and direction, as it is read."""
        with torch.no_grad():
            recording = self.layers.record(self._outer(self.x), *self.names, **self._others())
        return {
            name: [self.as_read(self._outer(value), place) for place, value in enumerate(parts)]
            for name, parts in recording.items()
        }

    def _others(self) -> dict[str, Any]:
        reset = None if self.rows.reset is None else self._outer(self.rows.reset)
        state = State(**self.initial) if self.initial else None
        further = {name: self._outer(value) for name, value in self.further.items()}
        return {"state": state, "lengths": self.rows.lengths, "reset": reset, **further}

    def _outer(self, value: Tensor) -> Tensor:
        """Turn time first into the form of the layers; its own inverse."""
        return value.transpose(0, 1) if self.layers.batch_first else value

    def before(self, name: str, values: dict[str, list[Tensor]], spot: Spot) -> Tensor:
        """Return a state [n] as the step of a spot finds it."""
        rows = self.rows if spot.place % self.layers.num_directions == 0 else self.rows.reversed()
        now = values[name][spot.place][0, spot.row]
        if rows.reset is not None and bool(rows.reset[spot.step, spot.row]):
            return torch.zeros_like(now)
        if spot.step:
            return values[name][spot.place][spot.step - 1, spot.row]
        return self.initial[name][spot.place, spot.row] if name in self.initial else torch.zeros_like(now)

    def where(self, spot: Spot) -> str:
        """Say where a spot is."""
        place, count = divmod(spot.place, self.layers.num_directions), self.x.shape
        step = spot.step
        if place[1]:  # the step of the input, which the other direction counts from the end
            own = torch.arange(count[0]).reshape(-1, 1).expand(-1, count[1])
            step = int(self.rows.reverse(own.to(self.x.device))[spot.step, spot.row])
        layer = f"layer {place[0] + 1}{', backward' if place[1] else ''}{f' of {self.name}' if self.name else ''}"
        return f"step {step + 1} of {count[0]} in {layer}, row {spot.row + 1} of {count[1]}"
