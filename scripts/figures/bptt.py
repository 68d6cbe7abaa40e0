"""Figures of truncated backpropagation through time: what cutting the gradient loses, and what it saves."""

from __future__ import annotations

from time import process_time
from typing import Any

import torch
from torch import Tensor

from figures.canvas import BLUE, COLOURS, DASHES, ORANGE, axes
from figures.figure import Figure, Numbers, Words
from loopcell import Recurrent, State, chrono_

STEPS, UNITS = 128, 32
KEPT = (1, 2, 4, 8, 16, 32, 64, 96, 128)
LENGTHS, CUT = (100, 200, 400, 800, 1600), 100


def _gradient(net: Recurrent, x: Tensor, direction: Tensor, steps: int) -> Tensor:
    """Return the gradient of the last output by all weights, in one vector, where it flows `steps` steps back."""
    with torch.no_grad():
        _, state = net(x[: len(x) - steps])
    y, _ = net(x[len(x) - steps :], state)
    found = torch.autograd.grad((y[-1] @ direction).mean(), list(net.parameters()))
    return torch.cat([part.flatten() for part in found])


def _measure_error() -> Numbers:
    x, direction = torch.randn(STEPS, 16, 3), torch.randn(UNITS) / UNITS**0.5
    found: dict[str, Any] = {"steps": list(KEPT)}
    for name, gates in (("rnn", False), ("lstm", False), ("lstm, chrono", True)):
        torch.manual_seed(0)
        net = Recurrent(name.partition(",")[0], 3, UNITS)
        if gates:
            chrono_(net, STEPS)
        whole = _gradient(net, x, direction, STEPS)
        cut = [_gradient(net, x, direction, steps) for steps in KEPT]
        found[name] = [round(float((one - whole).norm() / whole.norm()), 4) for one in cut]
    return found


def _draw_error(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.6)
    labels = {"rnn": "RNN", "lstm": "LSTM", "lstm, chrono": f"LSTM, {words('chrono')}"}
    for (name, label), colour, dash, mark in zip(labels.items(), COLOURS, DASHES, "os^", strict=False):
        axis.plot(numbers["steps"], numbers[name], dash, color=colour, marker=mark, markersize=4, label=label)
    axis.set_xscale("log", base=2)
    axis.set_xticks(KEPT, [str(steps) if steps != 96 else "" for steps in KEPT])
    axis.minorticks_off()
    axis.set(xlabel=words("steps that the gradient flows back, k2"), ylabel=words("relative error"))
    axis.legend(loc="upper right")
    return figure


def _update(net: Recurrent, x: Tensor, state: State | None = None) -> tuple[int, float, State]:
    """Run forward and back once; return the bytes that the forward pass saved, the seconds, and the state."""
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.data_ptr()] = max(tensor.nbytes, held.get(tensor.data_ptr(), 0))
        return tensor

    start = process_time()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y, state = net(x, state)
        loss = y.square().mean()
    loss.backward()
    return sum(held.values()), process_time() - start, state.detach()


def _costs(net: Recurrent, x: Tensor, cut: int) -> tuple[float, float]:
    """Return the most MiB that were held at once, and the milliseconds until the weights can be updated first.

    Processor time, of five times the least: what else the machine does can only add.
    """
    state, most, times = None, 0, [_update(net, x[:cut])[1] for _ in range(5)]
    for start in range(0, len(x), cut):
        held, _, state = _update(net, x[start : start + cut], state)
        most = max(most, held)
    return round(most / 2**20, 3), round(min(times) * 1000, 2)


def _measure_cost() -> Numbers:
    net, found = Recurrent("lstm", 16, 64), {"steps": list(LENGTHS), "cut": CUT}
    _update(net, torch.randn(CUT, 8, 16))  # the first call finds its kernels
    for name in ("whole", "truncated"):
        costs = [_costs(net, torch.randn(T, 8, 16), T if name == "whole" else CUT) for T in LENGTHS]
        found[f"{name}, MiB"], found[f"{name}, ms"] = (list(column) for column in zip(*costs, strict=True))
    return found


def _draw_cost(numbers: Numbers, words: Words) -> Any:
    figure, both = axes(2.7, 1, 2)
    for axis, unit in zip(both, ("MiB", "ms"), strict=True):
        for name, colour, dash, mark in (("whole", ORANGE, "-", "o"), ("truncated", BLUE, "--", "s")):
            values = numbers[f"{name}, {unit}"]
            axis.plot(numbers["steps"], values, dash, color=colour, marker=mark, markersize=4, label=words(name))
        axis.set(xlabel="T", title=words(unit), ylim=(0, None), xticks=(100, 400, 800, 1600))
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


ERROR = Figure("truncation-error", _measure_error, _draw_error, ("rnn", "lstm", "lstm, chrono"), tolerance=0.02)
COST = Figure("truncation-cost", _measure_cost, _draw_cost, ("whole, MiB", "truncated, MiB"), tolerance=1.0)
