"""Draw what a network remembers, step by step: the picture of the front page.

    python examples/memory.py --picture memory.svg

A GRU and a plain RNN learn to add two numbers that are marked among a hundred (the adding problem of Hochreiter and
Schmidhuber, 1997, in the form of Le, Jaitly and Hinton, 2015, arXiv 1504.00941). Then both read a sequence that they
have not seen, `record` notes the GRU's state at every step, and the read-out says at every step what each would answer.
It took 13 seconds on an AMD EPYC. The picture needs matplotlib (`pip install '.[bench]'`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from loopcell import Recurrent, chrono_
from loopcell.files import atomic_write

STEPS, UNITS, BATCH = 100, 24, 50
UPDATES = 3000
GREY, BLUE, ORANGE = "#7d8590", "#2f81c7", "#d9730d"  # legible on white and on black


class Adder(nn.Module):
    """A recurrent layer and a read-out of its state."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, input_size=2, hidden_size=UNITS)
        if cell == "gru":  # an RNN has no gates whose time scales could be set
            chrono_(self.recurrent, STEPS)
        self.read_out = nn.Linear(UNITS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Answer at every step, [T, B], having read [T, B, 2]."""
        return self.read_out(self.recurrent(x)[0]).squeeze(-1)


def sequences(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw numbers and marks, [T, B, 2], one mark in each half, and the marked numbers summed so far, [T, B]."""
    numbers, marks = torch.rand(STEPS, count, generator=draw), torch.zeros(STEPS, count)
    for first in (0, STEPS // 2):
        marks[torch.randint(first, first + STEPS // 2, (count,), generator=draw), torch.arange(count)] = 1
    return torch.stack([numbers, marks], -1), (numbers * marks).cumsum(0)


def learned(cell: str, updates: int) -> Adder:
    """Train on sequences that are drawn anew for each update."""
    torch.manual_seed(0)
    model, draw = Adder(cell), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(updates):
        x, sums = sequences(BATCH, draw)
        loss = (model(x)[-1] - sums[-1]).square().mean()  # only the last answer is asked for
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def squared_error(model: Adder) -> float:
    """Return the mean squared error of the last answer, on 1,000 sequences of their own seed."""
    x, sums = sequences(1000, torch.Generator().manual_seed(2))
    with torch.no_grad():
        return float((model(x)[-1] - sums[-1]).square().mean())


def draw(models: dict[str, Adder], path: Path) -> None:
    """Draw the input, the GRU's state and the running answers for one sequence."""
    from matplotlib import pyplot as plt

    x, sums = sequences(1, torch.Generator().manual_seed(11))  # a sum that is not near the mean, 1
    state = models["gru"].recurrent.record(x, "h")["h"][0][:, 0].detach()
    style = {"svg.fonttype": "none", "svg.hashsalt": "loopcell", "font.size": 9, "axes.spines.top": False}
    colours = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY)
    with plt.rc_context({**style, **colours, "axes.spines.right": False, "legend.frameon": False}):
        figure, (given, seen, said) = plt.subplots(
            3, sharex=True, figsize=(7.6, 4.6), height_ratios=(1, 1.6, 1.4), layout="constrained"
        )
        marked = x[:, 0, 1].bool()
        given.vlines(range(STEPS), 0, x[:, 0, 0], color=[BLUE if mark else GREY for mark in marked], linewidth=2.5)
        given.set(ylabel="input", yticks=(0, 1), ylim=(0, 1))
        order = state[-1].argsort()
        seen.imshow(state[:, order].T, cmap="RdBu_r", vmin=-0.6, vmax=0.6, aspect="auto", interpolation="nearest")
        seen.set(ylabel="state of the GRU", yticks=())
        said.plot(sums[:, 0], color=GREY, linestyle=":", label="marked numbers so far")
        for (name, model), colour in zip(models.items(), (BLUE, ORANGE), strict=True):
            said.plot(model(x)[:, 0].detach(), color=colour, label=f"answer of the {name.upper()}")
        said.set(ylabel="answer", xlabel="step", ylim=(-0.25, 2))
        said.legend(ncols=3, loc="upper left")
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Train both, print their errors, and draw where asked to."""
    parser = argparse.ArgumentParser(description="What a network remembers, step by step.")
    parser.add_argument("--picture", type=Path, help="where to write the picture, an SVG")
    parser.add_argument("--updates", type=int, default=UPDATES, help=f"of each network ({UPDATES})")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # there is too little to do for two
    models = {cell: learned(cell, asked.updates) for cell in ("gru", "rnn")}
    for cell, model in models.items():
        print(f"{cell}: mean squared error {squared_error(model):.5f} (always the mean: 0.16667)")
    if asked.picture:
        draw(models, asked.picture)
        print(f"picture: {asked.picture}")


if __name__ == "__main__":
    main()
