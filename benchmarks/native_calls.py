"""The cost of a call of torch's own operator beside that of `torch.nn`: `python -m benchmarks.native_calls`.

One row, few steps and units, so that the call itself is most of what is measured: microseconds of
`loopcell.backend("native")` and of `torch.nn` on the same weights, on one thread, in turns. Into
machines/NAME/native_calls.json.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import loopcell
from benchmarks.results import heading, of_this_machine, write

ROUNDS, CALLS = 15, 200
NETS = {"LSTM": (loopcell.LSTM, nn.LSTM), "GRU": (loopcell.GRU, nn.GRU)}


def forward(net: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """Return a forward pass without gradients."""

    def run() -> object:
        with torch.no_grad():
            return net(x)

    return run


def training(net: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """Return a forward and a backward pass."""

    def run() -> object:
        return torch.autograd.grad(net(x)[0].sum(), list(net.parameters()))

    return run


def rows() -> list[dict[str, Any]]:
    """Return microseconds a call, ours and torch.nn's, by network and job."""
    found = []
    for name, kinds in NETS.items():
        nets = [kind(8, 8) for kind in kinds]
        nets[0].load_state_dict(nets[1].state_dict())
        x = torch.randn(4, 1, 8)
        torch.testing.assert_close(nets[0](x)[0], nets[1](x)[0])
        for job in (forward, training):
            taken: list[list[float]] = [[], []]
            calls = [job(net, x) for net in nets]
            for turn in range(ROUNDS + 1):
                for place, call in enumerate(calls):
                    seconds = _seconds(call)
                    if turn:  # the first one warms up
                        taken[place].append(1e6 * seconds)
            ours, theirs = (round(statistics.median(times), 1) for times in taken)
            row = {"net": name, "job": job.__name__, "ours": ours, "torch.nn": theirs, "more": round(ours - theirs, 1)}
            print(*row.values(), sep="  ", flush=True)
            found.append(row)
    return found


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with loopcell.backend("native"):
        found = rows()
    write(of_this_machine() / "native_calls.json", {**heading(), "unit": "us a call, T=4 B=1 H=8", "rows": found})


if __name__ == "__main__":
    main()
