"""The custom cells as loops in Python: the equations as they stand, a product a gate, a step after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, sigmoid, tanh
from torch.nn.functional import layer_norm, linear

from benchmarks import modules
from benchmarks.comparison import Entry, Observed
from benchmarks.task import Network

NAME = "Python loop"
Parameters = Mapping[str, Tensor]
States = tuple[Tensor, ...]
Step = Callable[[Tensor, States, Parameters], States]


def gate(name: str, x: Tensor, h: Tensor, p: Parameters) -> Tensor:
    """Return W x + U h + b."""
    return linear(x, p[f"W.{name}"]) + linear(h, p[f"U.{name}"], p[f"b.{name}"])


def lstm_layer_norm(x: Tensor, states: States, p: Parameters) -> States:
    """Compute Ba, Kiros, Hinton, 2016 (arXiv 1607.06450), eq. 20-22, gate by gate."""
    h, c = states
    H = h.shape[-1:]

    def normed(name: str) -> Tensor:
        from_input = layer_norm(linear(x, p[f"W.{name}"]), H, p[f"gain.{name}x"])
        return from_input + layer_norm(linear(h, p[f"U.{name}"]), H, p[f"gain.{name}h"], p[f"shift.{name}"])

    c = sigmoid(normed("f")) * c + sigmoid(normed("i")) * tanh(normed("g"))
    return sigmoid(normed("o")) * tanh(layer_norm(c, H, p["gain.c"], p["shift.c"])), c


def lstm_peephole(x: Tensor, states: States, p: Parameters) -> States:
    """Compute the LSTM of Gers, Schraudolph, Schmidhuber, 2002."""
    h, c = states
    i = sigmoid(gate("i", x, h, p) + p["p.i"] * c)
    f = sigmoid(gate("f", x, h, p) + p["p.f"] * c)
    c = f * c + i * tanh(gate("g", x, h, p))
    o = sigmoid(gate("o", x, h, p) + p["p.o"] * c)
    return o * tanh(c), c


def gru_keeps_before(x: Tensor, states: States, p: Parameters) -> States:
    """Compute Cho et al., 2014 (arXiv 1406.1078), eq. 5-8: the reset before the product."""
    (h,) = states
    r, z = sigmoid(gate("r", x, h, p)), sigmoid(gate("z", x, h, p))
    n = tanh(gate("n", x, r * h, p))
    return ((1 - z) * n + z * h,)


def invented(x: Tensor, states: States, p: Parameters) -> States:
    """Return the cell of `benchmarks/invented.py`."""
    h, c = states
    a = tanh(gate("a", x, h, p))
    k = sigmoid(gate("k", x, h, p) + p["p.k"] * c)
    s = torch.relu(gate("s", x, h, p))
    c = k * c + (1 - k) * a
    return c * (1 + s) / (1 + s * c.abs()), c


STEPS: dict[str, tuple[Step, int]] = {
    "lstm_layer_norm": (lstm_layer_norm, 2),
    "lstm_peephole": (lstm_peephole, 2),
    "gru_keeps_before": (gru_keeps_before, 1),
    "invented": (invented, 2),
}
"""The step, and how many states it has."""


def network(cell: str, parameters: Parameters) -> Network:
    """Return the loop."""
    step, count = STEPS[cell]
    hidden = next(tensor.shape[0] for name, tensor in parameters.items() if name.startswith("U."))

    def run(x: Tensor) -> tuple[Tensor, States]:
        states = (x.new_zeros(x.shape[1], hidden),) * count
        outputs = []
        for one in x:
            states = step(one, states, parameters)
            outputs.append(states[0])
        return torch.stack(outputs), tuple(state.unsqueeze(0) for state in states)  # [layers, B, H]

    return run


def forward(cell: str, parameters: Parameters, x: Tensor, _: Tensor, truth: Observed | None) -> Entry:
    """Return a forward pass."""
    return modules.forward_pass(NAME, network(cell, parameters), x, truth)


def training(cell: str, parameters: Parameters, x: Tensor, cotangent: Tensor, truth: Observed | None) -> Entry:
    """Return a training pass: the gradients of the input and of every parameter."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in {"x": x, **parameters}.items()}
    return modules.training_pass(NAME, network(cell, leaves), leaves, cotangent, truth)


JOBS = {"forward": forward, "training": training}
