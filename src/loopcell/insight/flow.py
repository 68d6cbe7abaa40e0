"""Gradient flow: how much of a loss's gradient reaches each state at each step, and what would help where little does.

The norm of dL/ds_t for every state s of every layer, through the fused kernels; beside it the slope that linear theory
predicts from the step's Jacobian. Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen, 1991; Pascanu, Mikolov,
Bengio: On the difficulty of training recurrent neural networks, 2013 (arXiv 1211.5063).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.equations.gates import gates_of
from loopcell.errors import InputError
from loopcell.insight.dynamics import step_dynamics
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.flow_findings import Finding, finding
from loopcell.insight.flow_of_layer import FlowOfLayer, least_norm, norms_by_steps_back
from loopcell.insight.has_page import HasPage
from loopcell.insight.nudges import NudgedRun, changing_states
from loopcell.insight.treatments import Treatment, treated
from loopcell.layers import boundary
from loopcell.layers.further_inputs import read_inputs
from loopcell.layers.sequences import as_lengths, checked_lengths
from loopcell.layers.stack import Stack

LossFunction = Callable[[Tensor], Tensor]
LossOf = Literal["last output", "function", "training loss", "last token"]

CLIP = 1.0
"""The norm above which the treatment "clip" scales a gradient down: the usual one of training."""


@dataclass(frozen=True, eq=False)
class GradientFlow(HasPage):
    """The flow of a loss's gradient back through a network.

    Attributes:
        layers: each layer and direction.
        loss: the loss itself.
        cell: the name of the cell.
        gated: a gate of the cell keeps its state, as the f of an LSTM does.
        loss_of: what the loss is of: the "last output" along a random direction, a "function" that was given, the
            "training loss" of an estimator, or its loss on the "last token" of a text.
        treatment: what was done before; None for nothing.
        scaled: by clipping: the factor of the whole gradient; 1 where nothing was clipped.
        untreated: the same without the treatment, for a page that shows both; None where nobody asked for it.
        steps: what stands at each step, such as tokens; empty for numbers.
    """

    layers: Sequence[FlowOfLayer]
    loss: float
    cell: str
    gated: bool
    loss_of: LossOf = "function"
    treatment: Treatment | None = None
    scaled: float = 1.0
    untreated: GradientFlow | None = None
    steps: Sequence[str] = ()

    def findings(self) -> list[Finding]:
        """Return what becomes of the gradient in each state of each layer, and what would help."""
        return [finding(layer, state, gated=self.gated) for layer in self.layers for state in layer.norms]

    def verdict(self) -> str:
        """Say the same in words, a line for each."""
        return "\n".join(one.sentence() for one in self.findings())

    def beside(self, untreated: GradientFlow) -> GradientFlow:
        """Return the same flow, whose page and pictures show the one without the treatment beside it."""
        return replace(self, untreated=untreated)

    def html(self) -> str:
        """Return the page: one file, with no request to anywhere."""
        from loopcell.insight.flow_files import page_of

        return page_of(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw the norms over the steps on a log scale, measured and by linear theory, and return the Axes.

        Args:
            ax: matplotlib Axes to draw on; None makes a figure.

        Raises:
            MissingExtraError: matplotlib is missing (`pip install "loopcell[pictures]"`).
        """
        from loopcell.insight.flow_files import plot

        return plot(self, ax)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the flow in the form that the name asks for.

        Args:
            path: `.html` is the page; `.npz` the arrays by "layer/direction/state"; `.csv` a row for every norm; `.png`
                and `.svg` a picture (matplotlib).

        Raises:
            InputError: another ending.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
        """
        from loopcell.insight.flow_files import save

        save(self, path)


def gradient_flow(
    net: Stack,
    x: Tensor,
    loss: LossFunction | None = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    dynamics: bool = True,
    treatment: Treatment | None = None,
    inputs: Mapping[str, Tensor] = MappingProxyType({}),
) -> GradientFlow:
    """Return how the gradient of a loss flows back through a network, step by step.

    Args:
        net: the network; it is read as in evaluation, and neither changed nor given gradients.
        x: the input, [T, B, I], or [B, T, I] with batch_first.
        loss: from the output (in the form that the network gives) to one number; None: the output of the last step
            along a fixed random direction, which asks how far back anything at all is felt.
        lengths: steps of each row, as in a call; each row is then counted from its own end (`FlowOfLayer.norms`).
        dynamics: compute the Jacobian's figures too, of the longest row (the first of them).
        treatment: look at a copy of the network that begins anew: "orthogonal" recurrent matrices, or "chrono" gates
            with time scales up to T; or at the gradient after "clip", which scales it down as a whole where the norm
            over all weights is above 1: it bounds the update, and leaves the slope as it is.
        inputs: the cell's further inputs by name, as in a call.

    Raises:
        InputError: the input does not fit, the loss is not one number, the treatment does not fit the cell, or the cell
            changes no state.
    """
    inner = _time_first(net, x)
    further = read_inputs(net.spec, inputs, inner)
    if treatment is not None:
        net = treated(net, treatment, len(inner))
    rows = checked_lengths(inner, as_lengths(lengths, inner.shape[1]), None)
    if rows.lengths is not None and not rows.lengths.any():
        raise InputError("lengths: no row has a step, so there is no gradient to look at")
    with in_evaluation(net):
        further = {name: rows.without_padding(one.detach()) for name, one in further.items()}
        given = rows.without_padding(inner.detach())
        run = NudgedRun(net, demanded_states(net), given, rows, further=further)
    output = run.output.transpose(0, 1) if net.batch_first else run.output
    with torch.enable_grad():
        value = _default_loss(run.output, rows) if loss is None else loss(output)
    demand_number(value)
    loss_of: LossOf = "last output" if loss is None else "function"
    return flow_of(net, run, rows, Arriving([value], None), (loss_of, treatment), dynamics=dynamics)


@dataclass(frozen=True)
class Arriving:
    """The outputs that a gradient is of, and the gradients that arrive there.

    Attributes:
        outputs: the loss, or what comes out of the recurrent layers.
        gradients: of each; None for the loss itself.
        loss: the loss's value where it is not the one output.
    """

    outputs: Sequence[Tensor]
    gradients: Sequence[Tensor] | None
    loss: float | None = None


def demanded_states(net: Stack) -> list[str]:
    """Return the states that a network's cell computes; a state that it hands on as it was has no gradient to measure.

    Raises:
        InputError: there is none.
    """
    states = changing_states(net.cell.graph)
    if not states:
        raise InputError(f"cell `{net.cell.name}` changes no state: no gradient flows through its steps")
    return states


def demand_number(value: object) -> None:
    """Refuse a loss that is no number, or depends on nothing; InputError."""
    if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
        raise InputError("the loss must be one number that depends on the output, such as output[-1].square().mean()")
    if not value.requires_grad:
        raise InputError("the loss does not depend on the network's output: it has no gradient")


def flow_of(
    net: Stack,
    run: NudgedRun,
    rows: Lengths,
    arriving: Arriving,
    said: tuple[LossOf, Treatment | None],
    *,
    dynamics: bool,
) -> GradientFlow:
    """Return the flow of what arrives at the output of a run.

    Args:
        net: the network.
        run: of its states.
        rows: where rows end and start afresh.
        arriving: the gradients.
        said: what the loss is of, and the treatment.
        dynamics: compute the Jacobian's figures too.
    """
    weights = [weight for weight in net.parameters() if weight.requires_grad] if said[1] == "clip" else []
    nudges = [nudge for nudges in run.nudges for nudge in nudges.values()]
    every = [*nudges, *weights]
    found = torch.autograd.grad(arriving.outputs, every, arriving.gradients, allow_unused=True, materialize_grads=True)
    scaled = _clipping(found[len(nudges) :])
    return GradientFlow(
        layers=_flows(net, run, rows, (one * scaled for one in found), dynamics=dynamics),
        loss=float(arriving.outputs[0].detach()) if arriving.loss is None else arriving.loss,
        cell=net.cell.name,
        gated=bool(gates_of(net.cell.graph).keep),
        loss_of=said[0],
        treatment=said[1],
        scaled=scaled,
    )


def _clipping(gradients: Sequence[Tensor]) -> float:
    """Return the factor by which clipping scales the gradients of weights, and all that they are made of."""
    norm = float(sum(float(gradient.double().square().sum()) for gradient in gradients)) ** 0.5
    return min(1.0, CLIP / norm) if norm > 0 else 1.0


def _flows(net: Stack, run: NudgedRun, rows: Lengths, found: Iterator[Tensor], *, dynamics: bool) -> list[FlowOfLayer]:
    """Return the gradient in each layer and direction, of the gradients of its nudges in their order."""
    flows = []
    row = 0 if rows.lengths is None else int(rows.lengths.argmax())
    steps = rows.steps if rows.lengths is None else int(rows.lengths[row])
    for (layer, direction), nudges, given in zip(net.places(), run.nudges, run.inputs, strict=True):
        gradients = {name: next(found) for name in nudges}
        norms = {name: norms_by_steps_back(one, rows) for name, one in gradients.items()}
        if not direction:
            norms = {name: one[::-1].copy() for name, one in norms.items()}
        figures = step_dynamics(net, layer, direction, given[:steps, row]) if dynamics and steps else None
        flows.append(FlowOfLayer(layer, direction, norms, figures, least_norm(gradients.values())))
    return flows


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
