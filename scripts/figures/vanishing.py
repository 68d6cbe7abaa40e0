"""Figures of vanishing and exploding gradients: measured, predicted, and treated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from figures.canvas import BLUE, COLOURS, DASHES, GREEN, INK, ORANGE, PURPLE, axes, label_ends
from figures.figure import Figure, Numbers, Words
from loopcell import Recurrent, cell
from loopcell.insight import gradient_flow

STEPS, UNITS, ROWS = 100, 32, 16
RADII = (0.9, 1.0, 1.1)
SETTLED = 40  # steps after which the largest eigenvalue has outgrown the others
CELLS = (("rnn", None), ("rnn", "orthogonal"), ("lstm", None), ("gru", None), ("lstm", "chrono"), ("gru", "chrono"))


@cell
def linear(x, h, *, W, U):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - a cell is equations
    """Compute a step of a network without a nonlinearity, of which theory knows everything."""
    h = W.h @ x + U.h @ h
    return h  # noqa: RET504 - a state has its name


def powers_of_ten(norms: Any) -> list[float]:
    """Return norms as powers of ten, which have a straight line where norms have a rate."""
    return [round(float(power), 4) for power in np.log10(norms)]


def _linear_net(radius: float) -> Recurrent:
    """Return a linear network whose recurrent matrix is drawn, and then scaled to a spectral radius."""
    draw = torch.Generator().manual_seed(0)
    drawn = torch.randn(UNITS, UNITS, generator=draw, dtype=torch.float64)
    net = Recurrent(linear, 3, UNITS).double()
    net.assign(0, 0, "U.h", radius * drawn / torch.linalg.eigvals(drawn).abs().max())
    return net


def _measure_linear() -> Numbers:
    x = torch.randn(STEPS, ROWS, 3, dtype=torch.float64)
    found: dict[str, Any] = {"radius": list(RADII)}
    flows = [gradient_flow(_linear_net(radius), x, dynamics=False).layers[0].back("h") for radius in RADII]
    treated = gradient_flow(_linear_net(RADII[-1]), x, dynamics=False, treatment="orthogonal")
    found["measured"] = [powers_of_ten(flow) for flow in flows]
    found["orthogonal"] = powers_of_ten(treated.layers[0].back("h"))
    found["slope"] = [
        round(float(np.polyfit(range(SETTLED, STEPS), np.log(flow[SETTLED:]), 1)[0]), 5) for flow in flows
    ]
    found["log of the radius"] = [round(math.log(radius), 5) for radius in RADII]
    return found


def _draw_linear(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(3.0)
    back = np.arange(STEPS)
    columns = (numbers[name] for name in ("radius", "measured", "log of the radius"))
    for (radius, powers, log), colour in zip(zip(*columns, strict=True), COLOURS, strict=False):
        axis.plot(back, powers, color=colour, linewidth=4, alpha=0.5, label=f"ρ = {radius}")
        predicted = np.array(powers[SETTLED]) + log / math.log(10) * (back - SETTLED)
        label = words("slope log ρ") if radius == RADII[-1] else None
        axis.plot(back, predicted, "--", color=INK, linewidth=1.2, label=label)
    axis.plot(back, numbers["orthogonal"], color=PURPLE, label=words("orthogonal matrix"))
    axis.set(xlabel=words("steps back"), ylabel=words("gradient, powers of ten"))
    axis.legend(loc="upper left", ncols=2, fontsize=8)
    axis.set_ylim(top=max(numbers["measured"][-1]) + 3.2)
    return figure


def _measure_cells() -> Numbers:
    found: dict[str, Any] = {}
    x = torch.randn(STEPS, ROWS, 3)
    for name, treatment in CELLS:
        torch.manual_seed(0)
        flow = gradient_flow(Recurrent(name, 3, UNITS), x, treatment=treatment, dynamics=False).layers[0]  # type: ignore[arg-type]
        state = "c" if name == "lstm" else "h"
        found[f"{name}, {treatment}" if treatment else name] = powers_of_ten(flow.back(state))
    return found


def _draw_cells(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(3.2)
    colours = {"rnn": BLUE, "lstm": ORANGE, "gru": GREEN}
    ends = []
    for name, powers in numbers.items():
        kind, _, treatment = name.partition(", ")
        axis.plot(range(STEPS), powers, "--" if treatment else "-", color=colours[kind])
        ends.append((kind.upper() + (f", {words(treatment)}" if treatment else ""), powers[-1], colours[kind]))
    axis.set(xlabel=words("steps back"), ylabel=words("gradient, powers of ten"), xlim=(0, STEPS - 1))
    label_ends(axis, ends)
    return figure


def _losses(clip: float) -> list[float]:
    """Train a network with large gradients to give the mean of thirty numbers; return the loss of each update."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    net, head = Recurrent("rnn_relu", 1, 16), nn.Linear(16, 1)
    net.assign(0, 0, "U.h", torch.eye(16))  # every unit adds up what it reads
    weights = [*net.parameters(), *head.parameters()]
    optimizer, losses = torch.optim.SGD(weights, 0.03), []
    for _ in range(300):
        x = torch.rand(30, 32, 1, generator=draw)
        loss = (head(net(x)[0][-1]) - x.mean(0)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def _measure_clipping() -> Numbers:
    losses = {"without clipping": powers_of_ten(_losses(math.inf)), "clipped at 1": powers_of_ten(_losses(1.0))}
    return {**losses, "largest": [max(powers) for powers in losses.values()]}


def _draw_clipping(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.6)
    for name, colour, dash in zip(("without clipping", "clipped at 1"), (ORANGE, BLUE), DASHES, strict=False):
        powers = numbers[name]
        axis.plot(range(1, len(powers) + 1), powers, dash, color=colour, linewidth=1.4, label=words(name))
    axis.set(xlabel=words("update"), ylabel=words("loss, powers of ten"), yticks=range(-3, 13, 3))
    axis.legend(loc="upper right")
    return figure


LINEAR = Figure("linear-flow", _measure_linear, _draw_linear, ("measured", "slope", "orthogonal"), tolerance=0.01)
BY_CELL = Figure("cells-flow", _measure_cells, _draw_cells, tuple(
    f"{name}, {treatment}" if treatment else name for name, treatment in CELLS), tolerance=0.1)  # fmt: skip
CLIPPING = Figure("clipping", _measure_clipping, _draw_clipping, ("largest",), tolerance=0.5)
