"""Gradient flow: how much of a loss's gradient reaches each state at each step, and what would help where little does.

The norm of dL/ds_t for every state s of every layer, through the fused kernels; beside it the slope that linear theory
predicts from the step's Jacobian. Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen, 1991; Pascanu, Mikolov,
Bengio: On the difficulty of training recurrent neural networks, 2013 (arXiv 1211.5063).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.equations.gates import gates_of
from loopcell.errors import InputError
from loopcell.insight.dynamics import StepDynamics, step_dynamics
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.nudges import NudgedRun
from loopcell.layers import boundary, chrono_, orthogonal_
from loopcell.layers.sequences import as_lengths, checked_lengths
from loopcell.layers.stack import Stack

Numbers = npt.NDArray[np.float64]
Treatment = Literal["orthogonal", "chrono"]
LossFunction = Callable[[Tensor], Tensor]

FLAT = 2.0
"""Powers of ten over the sequence within which a gradient is said to hold."""


@dataclass(frozen=True, eq=False)
class FlowOfLayer:
    """The gradient in one layer and direction.

    Attributes:
        layer: its number.
        direction: 0 along the sequence, 1 against it.
        norms: by state, ||dL/ds_t|| [T]: the root mean square over the batch's rows. Every path to the loss counts:
            later steps, the layers above, the output.
        dynamics: the Jacobian's figures along the sequence; None where they were not asked for.
    """

    layer: int
    direction: int
    norms: Mapping[str, Numbers]
    dynamics: StepDynamics | None

    def back(self, state: str) -> Numbers:
        """Return the norms of a state against the order in which the direction reads: from the last step back."""
        return self.norms[state] if self.direction else self.norms[state][::-1]

    def slope(self, state: str) -> float:
        """Return the growth of log ||dL/ds_t|| for one step back, fitted over all steps that a gradient reaches.

        0 is a gradient that holds; -0.1 one that loses a tenth at each step back. NaN where none arrives.
        """
        norms = self.back(state)
        reached = np.flatnonzero((norms > np.finfo(np.float64).tiny) & np.isfinite(norms))
        if len(reached) < 2:
            return float("nan")
        return float(np.polyfit(reached, np.log(norms[reached]), 1)[0])


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """The flow of a loss's gradient back through a network.

    Attributes:
        layers: each layer and direction.
        loss: the loss itself.
        cell: the name of the cell.
        gated: a gate of the cell keeps its state, as the f of an LSTM does.
    """

    layers: Sequence[FlowOfLayer]
    loss: float
    cell: str
    gated: bool

    def verdict(self) -> str:
        """Say in words what becomes of the gradient, and what would help."""
        return "\n".join(self._sentence(layer, state) for layer in self.layers for state in layer.norms)

    def _sentence(self, layer: FlowOfLayer, state: str) -> str:
        where = f"layer {layer.layer}{', backward' if layer.direction else ''}, {state}"
        norms = layer.back(state)
        if not np.isfinite(norms).all():
            first = int(np.flatnonzero(~np.isfinite(norms))[0])
            return f"{where}: no number any more {first} steps before the end; clip the gradient, or lower the rate"
        reached = np.flatnonzero(norms)
        if not len(reached):
            return f"{where}: no gradient arrives: the loss does not depend on it"
        # The nearest step that has half of the largest norm: among equals the largest one would be chance.
        first, peak, end = int(reached[0]), int(np.argmax(norms >= norms.max() / 2)), len(norms) - 1
        grown, left = float(norms[peak] / norms[first]), float(norms[end] / norms[peak])
        # Below the top, gradients enter at every step; what grew by itself is what the step's own Jacobian makes grow.
        grows = layer.dynamics.lyapunov > 0 if layer.dynamics else layer.slope(state) > 0
        if grows and grown > 10**FLAT:
            return (
                f"{where}: explodes: {grown:.0e} times as large after {peak - first} steps; clip the gradient, and try "
                "orthogonal initialisation (treatment='orthogonal') or a cell with layer normalisation"
            )
        if left < 10**-FLAT:
            return f"{where}: vanishes: {left:.0e} of it after {end - peak} steps; try {self._cure()}"
        if peak == end and layer.direction:
            return f"{where}: enters at the first step that it reads, from where nothing flows back"
        return f"{where}: holds: {left:.2g} of it after {end - peak} steps"

    def _cure(self) -> str:
        """Name what helps against a gradient that vanishes."""
        if self.gated:
            return "chrono initialisation (treatment='chrono')"
        return "a gated cell such as lstm or gru, or orthogonal initialisation (treatment='orthogonal')"


def gradient_flow(
    net: Stack,
    x: Tensor,
    loss: LossFunction | None = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    dynamics: bool = True,
    treatment: Treatment | None = None,
) -> GradientFlow:
    """Return how the gradient of a loss flows back through a network, step by step.

    Args:
        net: the network; it is read as in evaluation, and neither changed nor given gradients.
        x: the input, [T, B, I], or [B, T, I] with batch_first.
        loss: from the output (in the form that the network gives) to one number; None: the output of the last step
            along a fixed random direction, which asks how far back anything at all is felt.
        lengths: steps of each row, as in a call.
        dynamics: compute the Jacobian's figures too, of the longest row (the first of them).
        treatment: look at a copy of the network that begins anew: "orthogonal" recurrent matrices, or "chrono" gates
            with time scales up to T.

    Raises:
        InputError: the input does not fit, the loss is not one number, or the treatment does not fit the cell.
    """
    inner = _time_first(net, x)
    if treatment is not None:
        net = treated(net, treatment, len(inner))
    rows = checked_lengths(inner, as_lengths(lengths, inner.shape[1]), None)
    with in_evaluation(net):
        run = NudgedRun(net, net.cell.states, rows.without_padding(inner.detach()), rows)
    output = run.output.transpose(0, 1) if net.batch_first else run.output
    with torch.enable_grad():
        value = _default_loss(run.output, rows) if loss is None else loss(output)
    if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
        raise InputError("the loss must be one number that depends on the output, such as output[-1].square().mean()")
    return GradientFlow(
        layers=_flows(net, run, rows, value, dynamics=dynamics),
        loss=float(value.detach()),
        cell=net.cell.name,
        gated=bool(gates_of(net.cell.graph).keep),
    )


def treated(net: Stack, treatment: Treatment, steps: int) -> Stack:
    """Return a copy of a network that begins as a treatment has it.

    Raises:
        InputError: there is no such treatment, or no gate of the cell keeps its state (chrono).
    """
    new = copy.deepcopy(net)
    if treatment == "orthogonal":
        orthogonal_(new)
    elif treatment == "chrono":
        chrono_(new, max(3, steps))
    else:
        raise InputError(f"a treatment is 'orthogonal' or 'chrono', not {treatment!r}")
    return new


def _flows(net: Stack, run: NudgedRun, rows: Lengths, loss: Tensor, *, dynamics: bool) -> list[FlowOfLayer]:
    """Return the gradient in each layer and direction."""
    if not loss.requires_grad:
        raise InputError("the loss does not depend on the network's output: it has no gradient")
    every = [nudge for nudges in run.nudges for nudge in nudges.values()]
    found = iter(torch.autograd.grad(loss, every, allow_unused=True, materialize_grads=True))
    flows = []
    row = 0 if rows.lengths is None else int(rows.lengths.argmax())
    steps = rows.steps if rows.lengths is None else int(rows.lengths[row])
    for (layer, direction), nudges, given in zip(net.places(), run.nudges, run.inputs, strict=True):
        gradients = {name: next(found) for name in nudges}
        norms = {name: _norms(rows.reverse(one) if direction else one) for name, one in gradients.items()}
        figures = step_dynamics(net, layer, direction, given[:steps, row]) if dynamics and steps else None
        flows.append(FlowOfLayer(layer, direction, norms, figures))
    return flows


def _norms(gradient: Tensor) -> Numbers:
    """Return the root mean square over the rows of the norms, [T] of [T, B, n]."""
    norms: Numbers = gradient.double().square().sum(-1).mean(1).sqrt().cpu().numpy()
    return norms


def _time_first(net: object, x: object) -> Tensor:
    """Return the input as [T, B, I].

    Raises:
        InputError: it is no batch with steps that the network reads, or there is no network of loopcell.
    """
    if not isinstance(net, Stack):
        raise InputError(f"the flow is that of recurrent layers of loopcell, not of a {type(net).__name__}")
    if not isinstance(x, Tensor) or x.dim() != 3 or not x.numel():
        came = list(x.shape) if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise InputError(f"the input must be a batch [T, B, {net.input_size}] with steps in it, not {came}")
    inner = x.transpose(0, 1) if net.batch_first else x
    boundary.check_input(net.spec, x, inner, boundary.first_parameter(net))
    return inner


def _default_loss(output: Tensor, rows: Lengths) -> Tensor:
    """Return the last valid output of each row along one random direction of length 1."""
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(output.shape[-1], generator=generator, dtype=torch.float64)
    direction = (direction / direction.norm()).to(output)
    last = output[-1] if rows.lengths is None else _last(output, rows.lengths)
    return torch.sum(last @ direction)


def _last(output: Tensor, lengths: Tensor) -> Tensor:
    at = (lengths - 1).clamp(min=0).reshape(1, -1, 1).expand(1, -1, output.shape[-1])
    return output.gather(0, at).squeeze(0)
