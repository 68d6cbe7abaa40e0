"""Both paths beside torch.nn: forward, and forward with backward, alternating in one run, equality checked first.

python benchmarks/torch_nn.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from machine import write_result
from torch import Tensor, nn

import loopcell

SHAPES = ((1, 1, 128, 128), (100, 1, 128, 128), (100, 32, 64, 128), (100, 32, 128, 256), (50, 128, 512, 512))
PAIRS = {"rnn": (loopcell.RNN, nn.RNN), "lstm": (loopcell.LSTM, nn.LSTM), "gru": (loopcell.GRU, nn.GRU)}
ROUNDS = 15


def forward(net: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """A forward pass without gradients."""

    def call() -> Tensor:
        with torch.no_grad():
            y: Tensor = net(x)[0]
        return y

    return call


def training(net: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """A forward and backward pass; returns the gradient of one recurrent matrix."""

    def call() -> Tensor:
        net.zero_grad()
        net(x)[0].sum().backward()
        gradient = net.get_parameter("weight_hh_l0").grad
        if gradient is None:
            raise SystemExit("no gradient arrived")
        return gradient

    return call


def seconds(call: Callable[[], Tensor]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> dict[str, float]:
    """Medians of alternating calls, and torch.nn's time over ours: above 1 we are faster."""

    def reference() -> Tensor:
        with loopcell.backend("reference"):
            return ours()

    calls = {"fused": ours, "reference": reference, "torch": theirs}
    for call in (ours, reference):
        torch.testing.assert_close(call(), theirs(), rtol=1e-3, atol=1e-3)
    times = [[seconds(call) for call in calls.values()] for _ in range(ROUNDS)]
    medians = dict(zip(calls, (statistics.median(column) for column in zip(*times, strict=True)), strict=True))
    figures = {f"{name}_ms": round(median * 1e3, 3) for name, median in medians.items()}
    return figures | {f"{name}_ratio": round(medians["torch"] / medians[name], 2) for name in ("fused", "reference")}


def main() -> None:
    """Run the grid."""
    rows: list[dict[str, Any]] = []
    for name, (our_class, their_class) in PAIRS.items():
        for steps, batch, inputs, hidden in SHAPES:
            ours, theirs = our_class(inputs, hidden), their_class(inputs, hidden)
            ours.load_state_dict(theirs.state_dict())
            x = torch.randn(steps, batch, inputs)
            row: dict[str, Any] = {"cell": name, "T": steps, "B": batch, "I": inputs, "H": hidden}
            row["forward"] = compare(forward(ours, x), forward(theirs, x))
            row["training"] = compare(training(ours, x), training(theirs, x))
            print(row, flush=True)
            rows.append(row)
    means = {
        f"{name} {mode} {path}": round(
            statistics.geometric_mean(row[mode][f"{path}_ratio"] for row in rows if row["cell"] == name), 2
        )
        for name in PAIRS
        for mode in ("forward", "training")
        for path in ("fused", "reference")
    }
    print(means)
    figures = {"command": "python benchmarks/torch_nn.py", "dtype": "float32", "geometric_means": means, "rows": rows}
    print(f"written: {write_result('torch_nn', figures)}")


if __name__ == "__main__":
    main()
