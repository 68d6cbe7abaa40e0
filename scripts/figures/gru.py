"""Figures of the GRU: its four conventions with the same weights, and its update gate as a running mean."""

from __future__ import annotations

from typing import Any

import torch

from figures.canvas import COLOURS, DASHES, INK, axes
from figures.figure import Figure, Numbers, Words
from loopcell import Recurrent

CONVENTIONS = ("gru", "gru_keeps_before", "gru_lets_after", "gru_lets_before")
GATES = (0.5, 0.9, 0.98)
STEPS = 120


def _measure_conventions() -> Numbers:
    x, given = torch.randn(30, 1, 3), Recurrent("gru", 3, 8).weights(0, 0)
    weights = {name: 3 * value.detach() for name, value in given.items()}
    weights["b.z"] = torch.full((8,), 2.0)  # z near 1, where its two meanings are far apart
    weights["d.n"] = torch.zeros(8)  # a bias that only two of the four have
    found = {}
    for name in CONVENTIONS:
        net = Recurrent(name, 3, 8)
        for parameter in net.weights(0, 0):
            net.assign(0, 0, parameter, weights[parameter])
        found[name] = [round(float(value), 4) for value in net(x)[0][:, 0, 0].detach()]
    return found


def _draw_conventions(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.6)
    for (name, course), colour, dash in zip(numbers.items(), COLOURS, DASHES, strict=True):
        axis.plot(range(1, len(course) + 1), course, dash, color=colour, label=name)
    axis.set(xlabel=words("step"), ylabel=words("first unit of h"))
    axis.legend(loc="lower left", ncols=2, fontsize=8, bbox_to_anchor=(0, 1))
    return figure


def _measure_leak() -> Numbers:
    signal = (torch.arange(STEPS) // 40 % 2 == 0).float() - 0.5 + 0.15 * torch.randn(STEPS)
    found: dict[str, Any] = {"signal": [round(float(value), 4) for value in signal.tanh()]}
    for z in GATES:
        net = Recurrent("gru", 1, 1)
        for name, value in net.weights(0, 0).items():
            net.assign(0, 0, name, torch.zeros_like(value))
        net.assign(0, 0, "W.n", torch.ones(1, 1))  # the candidate is the signal
        net.assign(0, 0, "b.z", torch.logit(torch.tensor([z])))
        found[str(z)] = [round(float(value), 4) for value in net(signal[:, None, None])[0].detach().flatten()]
    return found


def _draw_leak(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.6)
    axis.plot(numbers["signal"], color=INK, alpha=0.4, linewidth=0.9, label=words("candidate n"))
    for z, colour, dash in zip(GATES, COLOURS, DASHES, strict=False):
        axis.plot(numbers[str(z)], dash, color=colour, label=f"z = {z}: {1 / (1 - z):.0f} {words('steps')}")
    axis.set(xlabel=words("step"), ylabel="h", ylim=(-0.85, 1.25))
    axis.legend(loc="upper right", ncols=2, fontsize=8)
    return figure


CONVENTION = Figure("gru-conventions", _measure_conventions, _draw_conventions, CONVENTIONS, tolerance=0.002)
LEAK = Figure("gru-leak", _measure_leak, _draw_leak, tuple(map(str, GATES)), tolerance=0.002)
