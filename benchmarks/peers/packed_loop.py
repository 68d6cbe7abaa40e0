"""The custom cells as loops in Python by somebody who knows what PyTorch's time goes into.

The input's product is made for the whole sequence at once, and the gates of a step are one product. Parameters are
packed for that; `packs` says which of the author's parameters lie one under the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, sigmoid, tanh
from torch.nn import functional as F

from benchmarks.comparison import Entry, Observed
from benchmarks.task import named, named_gradients

NAME = "Python loop, packed"
Packed = Mapping[str, Tensor]
States = tuple[Tensor, ...]


def lstm_layer_norm(x: Tensor, p: Packed) -> tuple[Tensor, States]:
    """Compute Ba, Kiros, Hinton, 2016 (arXiv 1607.06450), eq. 20-22, gate by gate."""
    H = p["U"].shape[1]
    inputs = F.layer_norm((x @ p["W"].T).view(*x.shape[:2], 4, H), (H,)) * p["gain_x"].view(4, H) + p["shift"].view(
        4, H
    )
    gain, (h, c), outputs = p["gain_h"].view(4, H), _rest(x, H, 2), []
    for one in inputs:
        z = one + F.layer_norm((h @ p["U"].T).view(-1, 4, H), (H,)) * gain
        i, f, g, o = z.unbind(1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(F.layer_norm(c, (H,), p["gain_c"], p["shift_c"]))
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def lstm_peephole(x: Tensor, p: Packed) -> tuple[Tensor, States]:
    """Compute the LSTM of Gers, Schraudolph, Schmidhuber, 2002."""
    H = p["U"].shape[1]
    inputs = x @ p["W"].T + p["b"]
    see_i, see_f, see_o = p["p"].chunk(3)
    (h, c), outputs = _rest(x, H, 2), []
    for one in inputs:
        i, f, g, o = (one + h @ p["U"].T).chunk(4, -1)
        c = sigmoid(f + see_f * c) * c + sigmoid(i + see_i * c) * tanh(g)
        h = sigmoid(o + see_o * c) * tanh(c)
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def gru_keeps_before(x: Tensor, p: Packed) -> tuple[Tensor, States]:
    """Compute Cho et al., 2014 (arXiv 1406.1078), eq. 5-8: the reset before the product."""
    H = p["U_n"].shape[1]
    inputs = x @ p["W"].T + p["b"]
    (h,), outputs = _rest(x, H, 1), []
    for one in inputs:
        of_gates, of_n = one.split((2 * H, H), -1)
        r, z = sigmoid(of_gates + h @ p["U_rz"].T).chunk(2, -1)
        n = tanh(of_n + (r * h) @ p["U_n"].T)
        h = (1 - z) * n + z * h
        outputs.append(h)
    return torch.stack(outputs), (h,)


def invented(x: Tensor, p: Packed) -> tuple[Tensor, States]:
    """Return the cell of `benchmarks/invented.py`."""
    H = p["U"].shape[1]
    inputs = x @ p["W"].T + p["b"]
    (h, c), outputs = _rest(x, H, 2), []
    for one in inputs:
        a, k, s = (one + h @ p["U"].T).chunk(3, -1)
        k, s = sigmoid(k + p["p"] * c), torch.relu(s)
        c = k * c + (1 - k) * tanh(a)
        h = c * (1 + s) / (1 + s * c.abs())
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def _rest(x: Tensor, H: int, states: int) -> States:
    return tuple(x.new_zeros(x.shape[1], H) for _ in range(states))


def _gates(space: str, gates: str) -> tuple[str, ...]:
    return tuple(f"{space}.{gate}" for gate in gates)


@dataclass(frozen=True)
class Loop:
    """A loop, and the author's parameters that each of its packed ones is made of."""

    run: Callable[[Tensor, Packed], tuple[Tensor, States]]
    packs: Mapping[str, tuple[str, ...]]

    def packed(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the packed parameters, wanting gradients."""
        joined = {name: torch.cat([parameters[part] for part in parts]) for name, parts in self.packs.items()}
        return {name: tensor.detach().clone().requires_grad_() for name, tensor in joined.items()}

    def unpacked(self, packed: Packed, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what belongs to each of the author's parameters."""
        found: dict[str, Tensor] = {}
        for name, parts in self.packs.items():
            rows = [parameters[part].shape[0] for part in parts]
            found |= dict(zip(parts, torch.split(packed[name], rows), strict=True))
        return found


LOOPS = {
    "lstm_layer_norm": Loop(
        lstm_layer_norm,
        {
            "W": _gates("W", "ifgo"),
            "U": _gates("U", "ifgo"),
            "gain_x": tuple(f"gain.{gate}x" for gate in "ifgo"),
            "gain_h": tuple(f"gain.{gate}h" for gate in "ifgo"),
            "shift": _gates("shift", "ifgo"),
            "gain_c": ("gain.c",),
            "shift_c": ("shift.c",),
        },
    ),
    "lstm_peephole": Loop(
        lstm_peephole,
        {space: _gates(space, gates) for space, gates in (("W", "ifgo"), ("U", "ifgo"), ("b", "ifgo"), ("p", "ifo"))},
    ),
    "gru_keeps_before": Loop(
        gru_keeps_before,
        {"W": _gates("W", "rzn"), "b": _gates("b", "rzn"), "U_rz": ("U.r", "U.z"), "U_n": ("U.n",)},
    ),
    "invented": Loop(
        invented,
        {space: _gates(space, gates) for space, gates in (("W", "aks"), ("U", "aks"), ("b", "aks"), ("p", "k"))},
    ),
}


def forward(cell: str, parameters: Mapping[str, Tensor], x: Tensor, _: Tensor, truth: Observed | None) -> Entry:
    """Return a forward pass with the author's parameters."""
    loop = LOOPS[cell]
    packed = loop.packed(parameters)

    @torch.no_grad()
    def run() -> tuple[Tensor, States]:
        return loop.run(x, packed)

    def observe() -> Observed:
        y, states = run()
        return named(y, tuple(state.unsqueeze(0) for state in states))  # one layer

    return Entry(NAME, run, observe, truth)


def training(
    cell: str, parameters: Mapping[str, Tensor], x: Tensor, cotangent: Tensor, truth: Observed | None
) -> Entry:
    """Return a training pass: the gradients of the input and of every parameter."""
    loop = LOOPS[cell]
    packed, x = loop.packed(parameters), x.detach().clone().requires_grad_()
    wanted = [x, *packed.values()]

    def run() -> tuple[Tensor, tuple[Tensor, ...]]:
        y, _ = loop.run(x, packed)
        return y, torch.autograd.grad(y, wanted, cotangent)

    def observe() -> Observed:
        y, (d_x, *gradients) = run()
        by_author = loop.unpacked(dict(zip(packed, gradients, strict=True)), parameters)
        return named_gradients(y, ["x", *parameters], (d_x, *(by_author[name] for name in parameters)))

    return Entry(NAME, run, observe, truth)


JOBS = {"forward": forward, "training": training}
