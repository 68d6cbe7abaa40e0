"""Figures of the LSTM: what its gates learned to do, and what the forget gate's bias does to the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from figures.canvas import BLUE, COLOURS, DASHES, GREEN, GREY, ORANGE, axes, heat_map, label_ends
from figures.figure import Figure, Numbers, Words
from figures.vanishing import ROWS, STEPS, UNITS, powers_of_ten
from loopcell import Recurrent, forget_bias_
from loopcell.insight import gradient_flow

UNITS_HERE, UPDATES, RATE, SHOWN = 4, 600, 0.03, 36
BIASES = (-1.0, 0.0, 1.0, 2.0, 4.0)


def _recalls(steps: int, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw sequences [T, B, 3] of a number, "store" and "ask", and the answers [T, B].

    The answer is the number that was stored last where it is asked for, and 0 everywhere else.
    """
    numbers = torch.randn(steps, count, generator=draw).clamp(-2, 2)
    store = (torch.rand(steps, count, generator=draw) < 0.08).float()
    store[0] = 1
    ask = (torch.rand(steps, count, generator=draw) < 0.15).float() * (1 - store)
    kept, answers = torch.zeros(count), []
    for t in range(steps):
        kept = torch.where(store[t] > 0, numbers[t], kept)
        answers.append(kept * ask[t])
    return torch.stack([numbers, store, ask], -1), torch.stack(answers)


class _Recall(nn.Module):
    """An LSTM of four units that answers at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent, self.head = forget_bias_(Recurrent("lstm", 3, UNITS_HERE), 1.0), nn.Linear(UNITS_HERE, 1)

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.head(self.recurrent(x)[0]).squeeze(-1)
        return answers


def _trained() -> _Recall:
    model, draw = _Recall(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, UPDATES)
    for _ in range(UPDATES):
        x, answers = _recalls(30, 32, draw)
        loss = (model(x) - answers).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        slower.step()
    return model


def _measure_gates() -> Numbers:
    model = _trained()
    x, answers = _recalls(SHOWN, 500, torch.Generator().manual_seed(2))
    seen = {name: values[0].detach() for name, values in model.recurrent.record(x).items()}
    store, ask = x[..., 1] > 0, x[..., 2] > 0
    # The unit that keeps a number: its forget gate is closed where one is stored, and open elsewhere.
    unit = int((seen["f"][~store].mean(0) - seen["f"][store].mean(0)).argmax())
    means = {name: [seen[name][..., unit][place].mean() for place in (store, ask, ~(store | ask))] for name in "ifo"}
    # One sequence with about four numbers stored and five asked for.
    row = int((store.sum(0) - 4).abs().add(0.1 * (ask.sum(0) - 5).abs()).argmin())
    units = [unit, *(other for other in range(UNITS_HERE) if other != unit)]
    with torch.no_grad():
        said = model(x)
    return {
        "mean squared error": round(float((said - answers).square().mean()), 4),
        "variance of the answer": round(float(answers.square().mean()), 4),
        "at store, at ask, elsewhere": {name: _rounded(values) for name, values in means.items()},
        "input": [_rounded(column) for column in x[:, row].T],
        "answer": _rounded(answers[:, row]),
        "said": _rounded(said[:, row]),
        **{name: [_rounded(seen[name][:, row, place]) for place in units] for name in ("i", "f", "c", "o")},
    }


def _rounded(values: Iterable[Any]) -> list[float]:
    return [round(float(value), 3) for value in values]


def _draw_gates(numbers: Numbers, words: Words) -> Any:
    figure, rows = axes(5.1, 7, 1, sharex=True, height_ratios=(1.5, 0.8, 1, 1, 1, 1, 1.3))
    values, store, ask = (np.array(column) for column in numbers["input"])
    steps = np.arange(len(values))
    rows[0].bar(steps, values, color=[BLUE if stored else GREY for stored in store], width=0.6)
    rows[0].set(ylabel=words("number"), ylim=(-2.2, 2.2), yticks=(-2, 0, 2))
    rows[1].plot(steps[store > 0], np.full(int(store.sum()), 1), "v", color=BLUE, markersize=5)
    rows[1].plot(steps[ask > 0], np.full(int(ask.sum()), 0), "^", color=ORANGE, markersize=5)
    rows[1].set(yticks=(0, 1), yticklabels=(words("ask"), words("store")), ylim=(-0.7, 1.7))
    rows[1].tick_params(labelsize=7)
    most = float(np.abs(numbers["c"][0]).max())
    for axis, name in zip(rows[2:6], ("i", "f", "c", "o"), strict=True):
        image = heat_map(axis, numbers[name], signed=name == "c", most=most if name == "c" else 1.0)
        axis.set(yticks=())
        axis.set_ylabel(name, rotation=0, labelpad=8, va="center")
        figure.colorbar(image, ax=axis, pad=0.01, aspect=6).outline.set_visible(False)
    rows[6].plot(steps, numbers["answer"], "o", color=GREY, markersize=3.5, label=words("right answer"))
    rows[6].plot(steps, numbers["said"], color=GREEN, linewidth=1.4, label=words("answer of the network"))
    rows[6].set(xlabel=words("step"), ylim=(-2.4, 3.8), yticks=(-2, 0, 2))
    rows[6].legend(loc="upper left", ncols=2, fontsize=7.5)
    return figure


def _measure_bias() -> Numbers:
    found: dict[str, Any] = {"bias": list(BIASES), "measured": [], "slope": [], "log of f": []}
    x = torch.randn(STEPS, ROWS, 3)
    for bias in BIASES:
        torch.manual_seed(0)
        flow = gradient_flow(forget_bias_(Recurrent("lstm", 3, UNITS), bias), x, dynamics=False).layers[0]
        found["measured"].append(powers_of_ten(flow.back("c")))
        found["slope"].append(round(flow.slope("c"), 4))
        found["log of f"].append(round(float(torch.tensor(bias).sigmoid().log()), 4))
    return found


def _draw_bias(numbers: Numbers, words: Words) -> Any:
    figure, axis = axes(2.8)
    colours = (*COLOURS, GREY)
    for powers, colour, dash in zip(numbers["measured"], colours, (*DASHES, "-"), strict=True):
        axis.plot(range(STEPS), powers, dash, color=colour)
    axis.set(xlabel=words("steps back"), ylabel=words("gradient, powers of ten"), xlim=(0, STEPS - 1))
    names = (f"b.f = {bias:g}" for bias in numbers["bias"])
    label_ends(axis, zip(names, (powers[-1] for powers in numbers["measured"]), colours, strict=True))
    return figure


GATES = Figure("lstm-gates", _measure_gates, _draw_gates, ("mean squared error",), tolerance=0.02, quick=False)
FORGET_BIAS = Figure("forget-bias", _measure_bias, _draw_bias, ("measured", "slope"), tolerance=0.1)
