"""The errors of fp32 of less precision: networks beside the same in fp64, by the precision.

    python -m benchmarks.precisions                     (on the model of AMX)
    LOOPCELL_BF16=amx python -m benchmarks.precisions   (on AMX)

Relative errors of the output and of the worst gradient, in the norm of the whole tensor. PyTorch's fp32 stands beside
them.
"""

from __future__ import annotations

import copy
import os

import torch
from torch import Tensor, nn

import loopcell
from benchmarks.drawn_products import precision_of, unit
from benchmarks.results import RESULTS, SuiteFile, heading

NETWORKS = {
    "rnn": (loopcell.RNN, nn.RNN),
    "lstm": (loopcell.LSTM, nn.LSTM),
    "gru": (loopcell.GRU, nn.GRU),
}
STEPS, BATCH, INPUT = 25, 20, 64
HIDDEN = (128, 256)
PRECISIONS = ("highest", "high", "medium")


def observed(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Return the output and every gradient."""
    net.zero_grad()
    x = x.detach().requires_grad_()
    y, _ = net(x)
    y.square().sum().backward()
    gradients = {name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None}
    return {"output": y, "x": torch.as_tensor(x.grad), **gradients}


def errors(found: dict[str, Tensor], exact: dict[str, Tensor]) -> dict[str, float]:
    """Return the relative error of the output, and of the worst gradient."""
    each = {name: float((found[name].detach().double() - y).norm() / y.norm()) for name, y in exact.items()}
    return {"output": each.pop("output"), "gradient": max(each.values())}


def row(cell: str, hidden: int) -> dict[str, object]:
    """Return the errors of one network."""
    torch.manual_seed(0)
    ours, theirs = NETWORKS[cell]
    peer, x = theirs(INPUT, hidden), torch.randn(STEPS, BATCH, INPUT)
    net = ours(INPUT, hidden)
    net.load_state_dict(peer.state_dict())
    exact = {name: y.detach().double() for name, y in observed(copy.deepcopy(peer).double(), x.double()).items()}
    found: dict[str, object] = {"cell": cell, "T": STEPS, "B": BATCH, "I": INPUT, "H": hidden}
    found["torch.nn, highest"] = errors(observed(peer, x), exact)
    for precision in PRECISIONS:
        with precision_of(precision):
            found[precision] = errors(observed(net, x), exact)
    return found


def main() -> None:
    """Run every network, print and write."""
    os.environ["LOOPCELL_BF16"] = unit()
    file = SuiteFile(RESULTS / "precisions.json", heading(command="python -m benchmarks.precisions", unit=unit()))
    for cell in NETWORKS:
        for hidden in HIDDEN:
            part = f"{cell} {hidden}"
            if part not in file.parts:
                file.add(part, [row(cell, hidden)])
            (said,) = file.parts[part]["rows"]
            figures = [f"{name} {said[name]['output']:.1e} / {said[name]['gradient']:.1e}" for name in PRECISIONS]
            print(f"{part:9} output / worst gradient: {', '.join(figures)}", flush=True)


if __name__ == "__main__":
    main()
