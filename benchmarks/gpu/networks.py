"""Networks on a device, ours and the peers', and what is timed of them: a forward pass, a training pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import loopcell
from benchmarks.gpu.session import Call, Session
from benchmarks.peers.python_loop import STEPS, Parameters

OURS = {"rnn": loopcell.RNN, "lstm": loopcell.LSTM, "gru": loopcell.GRU}
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 4e-2, torch.float16: 1e-2}
"""The largest relative error of a device's result; TF32 is off."""


def pair(cell: str, size: int, session: Session, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """Return our network and torch.nn's, of the same weights."""
    torch.manual_seed(0)
    theirs = TORCH[cell](size, size, device=session.device, dtype=dtype)
    ours = OURS[cell](size, size, device=session.device, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def custom(cell: Any, size: int, session: Session, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return our network of any cell."""
    torch.manual_seed(0)
    return loopcell.Recurrent(cell, size, size, device=session.device, dtype=dtype)


def sequence(session: Session, steps: int, rows: int, size: int, dtype: torch.dtype) -> Tensor:
    """Return a random input [T, B, I]."""
    return torch.randn(steps, rows, size, generator=torch.Generator().manual_seed(1)).to(session.device, dtype)


def forward(net: Any, x: Tensor, **how: Any) -> Call:
    """Return a forward pass without gradients."""

    @torch.inference_mode()
    def run() -> Tensor:
        y: Tensor = net(x, **how)[0]
        return y

    return run


def training(net: Any, x: Tensor, **how: Any) -> Call:
    """Return a forward and a backward pass: the gradients of the input and of every parameter."""
    x = x.detach().clone().requires_grad_()
    weights = [x, *net.parameters()]
    cotangent: list[Tensor] = []

    def run() -> tuple[Tensor, ...]:
        y = net(x, **how)[0]
        if not cotangent:
            cotangent.append(torch.randn(y.shape, generator=torch.Generator().manual_seed(2)).to(y))
        return torch.autograd.grad(y, weights, cotangent[0])

    return run


JOBS = {"forward": forward, "training": training}


def plan(net: Any) -> str:
    """Return which path runs."""
    return "; ".join(f"{part.backend}" for part in net.plan())


class Loop(nn.Module):
    """A cell as a loop in Python, a step after the other, on the weights of a network of ours."""

    def __init__(self, cell: str, net: nn.Module) -> None:
        super().__init__()
        self.step, self.count = STEPS[cell]
        found = cell_parameters(net)
        self.keys = {name: name.replace(".", "_") for name in found}
        self.weights = nn.ParameterDict({key: found[name].detach().clone() for name, key in self.keys.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        """Run over [T, B, I]."""
        p: Parameters = {name: self.weights[key] for name, key in self.keys.items()}
        hidden = next(weight.shape[0] for name, weight in p.items() if name.startswith("U."))
        states = (x.new_zeros(x.shape[1], hidden),) * self.count
        outputs = []
        for one in x:
            states = self.step(one, states, p)
            outputs.append(states[0])
        return torch.stack(outputs), states


def cell_parameters(net: Any) -> dict[str, Tensor]:
    """Return the parameters of a network's one layer by the names of its equations, such as "W.i"."""
    return {".".join(name.split(".")[1:]): weight for name, weight in net.named_parameters()}


def flops(cell: Any, size: int) -> int:
    """Return floating point operations of the products of one step of one row, where all sizes are equal."""
    return sum(2 * size**2 for node in cell.graph.nodes if node.op == "matmul")
