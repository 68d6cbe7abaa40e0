"""The step as a dynamical system: its Jacobian, the spectral radius, and the largest Lyapunov exponent.

J_t = ds_{t+1}/ds_t of all states of a layer together, [S, S], but those that its cell hands on as they were. A gradient
one step back is J_t^T times the one before, so over many steps its norm grows by the product of the J_t. Linear theory:
where J is the same at every step, by log of the spectral radius a step. Along a real sequence: by the largest Lyapunov
exponent (Benettin et al., 1980; Vogt, Puelma Touzel, Shlizerman, Lajoie: On Lyapunov Exponents for RNNs, 2020, arXiv
2006.14123).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.insight.nudges import changing_states
from loopcell.layers.stack import Stack

MOST_JACOBIANS = 32
"""Steps at which the whole Jacobian is computed, evenly spread."""


@dataclass(frozen=True, eq=False)
class StepDynamics:
    """The effect of one step of a layer on a small change of its state, along one sequence.

    Attributes:
        steps: at which the Jacobian was computed, [K].
        spectral_radius: the largest absolute eigenvalue of the Jacobian at each of them, [K]; NaN where the Jacobian is
            not finite.
        singular_values: of the Jacobian at each of them, largest first, [K, S]; NaN likewise.
        lyapunov: the largest Lyapunov exponent: the mean growth of log of a small change, for one step.
    """

    steps: npt.NDArray[np.int64]
    spectral_radius: npt.NDArray[np.float64]
    singular_values: npt.NDArray[np.float64]
    lyapunov: float

    @property
    def predicted_slope(self) -> float:
        """Return the growth of log ||dL/ds_t|| one step back, by linear theory: the mean log of the spectral radius."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.spectral_radius).mean())


def step_dynamics(net: Stack, layer: int, direction: int, x: Tensor) -> StepDynamics:
    """Return the dynamics of one layer and direction along one sequence, in float64.

    Args:
        net: the network.
        layer: its number.
        direction: 0, or 1 for the one against the sequence.
        x: what the layer reads, [T, I], in its own order; the cell's further inputs behind it.
    """
    step = _Step(net, layer, direction)
    x = x.detach().double()
    chosen = np.unique(np.linspace(0, len(x) - 1, min(MOST_JACOBIANS, len(x))).round().astype(np.int64))
    before = step.states_before(x)
    matrices = torch.stack([step.jacobian(before[number], x[number]) for number in chosen])
    broken = ~matrices.isfinite().all(-1).all(-1)  # LAPACK takes no NaN
    matrices[broken] = 0.0
    radius, singular = torch.linalg.eigvals(matrices).abs().amax(-1), torch.linalg.svdvals(matrices)
    radius[broken], singular[broken] = torch.nan, torch.nan
    return StepDynamics(
        steps=chosen,
        spectral_radius=radius.cpu().numpy(),
        singular_values=singular.cpu().numpy(),
        lyapunov=_exponent(step, before, x),
    )


class _Step:
    """One step of a layer in float64, with the states that it computes side by side in one vector [S]."""

    def __init__(self, net: Stack, layer: int, direction: int) -> None:
        self._executable = net.executable(layer)
        self._names = changing_states(net.cell.graph)
        self._sizes = [self._executable.state_sizes[name] for name in self._names]
        weights = net.sources(layer, direction)
        bases = tuple(base.detach().double() for base in weights.bases)
        self._weights = type(weights)(bases, weights.layout)

    def states_before(self, x: Tensor) -> Tensor:
        """Return the state before each step of a sequence [T, I] that begins at rest, [T, S]."""
        rest, names = list(self._rest(x, 1).values()), tuple(self._names)
        with torch.no_grad():
            first, further = self._split(x.unsqueeze(1))
            _, _, seen, _ = self._executable(
                first, rest, self._weights, Lengths(len(x)), training=False, record=names, further=further
            )
        after = torch.cat([seen[name].squeeze(1) for name in names], -1)
        return torch.cat([torch.zeros_like(after[:1]), after[:-1]])

    def _split(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the first input and the further ones, by name, which lie behind it."""
        widths = {name: found.width for name, found in self._executable.further.items()}
        first, *others = torch.split(inputs, [inputs.shape[-1] - sum(widths.values()), *widths.values()], -1)
        return first, dict(zip(widths, others, strict=True))

    def _rest(self, like: Tensor, rows: int) -> dict[str, Tensor]:
        """Return all states at rest, [R, n], by name."""
        return {name: like.new_zeros(rows, size) for name, size in self._executable.state_sizes.items()}

    def back(self, states: Tensor, step_input: Tensor, cotangents: Tensor) -> Tensor:
        """Return J^T d for rows of states and cotangents, [R, S] each."""
        with torch.enable_grad():
            states = states.detach().requires_grad_()
            parts = [part.contiguous() for part in torch.split(states, self._sizes, -1)]
            given = self._rest(states, len(states)) | dict(zip(self._names, parts, strict=True))
            first, further = self._split(step_input.expand(1, len(states), -1).contiguous())
            _, after, *_ = self._executable(
                first, list(given.values()), self._weights, Lengths(1), training=False, further=further
            )
            computed = [one for name, one in zip(given, after, strict=True) if name in self._names]
            (gradient,) = torch.autograd.grad((torch.cat(computed, -1) * cotangents).sum(), states)
        return gradient

    def jacobian(self, state: Tensor, step_input: Tensor) -> Tensor:
        """Return ds'/ds at a state, [S, S]: row i is the gradient of the i-th number of the state after."""
        count = len(state)
        unit = torch.eye(count, dtype=state.dtype, device=state.device)
        return self.back(state.expand(count, -1), step_input, unit)


def _exponent(step: _Step, before: Tensor, x: Tensor) -> float:
    """Return the mean growth of a gradient for one step back, from one that is drawn: the largest Lyapunov exponent.

    J and its transpose have the same exponents; the gradient is what the reverse kernel can carry.
    """
    drawn = torch.randn(before.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cotangent, growth = (drawn / drawn.norm()).to(before).unsqueeze(0), []
    for number in reversed(range(len(x))):
        cotangent = step.back(before[number].unsqueeze(0), x[number], cotangent)
        size = float(cotangent.norm())
        if not size:
            return -np.inf  # nothing is left of it
        growth.append(np.log(size))
        cotangent = cotangent / size
    return float(np.mean(growth))
