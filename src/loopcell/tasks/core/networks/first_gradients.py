"""The first number of a gradient that is not finite, on its way back through a recurrent network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.insight.capture import LayersCall, calls_of
from loopcell.insight.nudges import NudgedRun
from loopcell.layers.stack import Stack
from loopcell.runtime.programs import known_names
from loopcell.tasks.core.networks.cause import Cause
from loopcell.tasks.core.networks.layers_call import OrderedCall, Spot

STEEP = {"sqrt": "the derivative of sqrt at 0 is inf", "log": "the derivative of log at 0 is inf"}
"""Operations of a number that is 0, whose derivative is not finite."""

Tensors = list[Tensor]


def first_gradient(network: nn.Module, run: Callable[[], Tensor]) -> Cause | None:
    """Return where the gradient of a loss is not finite first, last step first; None where that is not known.

    Args:
        network: with its weights, which get no gradients here.
        run: calls it once; returns the loss.
    """
    layers = {module: name for name, module in network.named_modules() if isinstance(module, Stack)}
    with calls_of(layers) as calls, torch.enable_grad():
        loss = run()
    results = [_differentiable(call) for call in calls]
    found = iter(_gradients([loss], [leaf for leaves in results for leaf in leaves], [torch.ones_like(loss)]))
    arriving = [[next(found) for _ in leaves] for leaves in results]
    for call, gradients in reversed(list(zip(calls, arriving, strict=True))):
        name = layers[call.layers] if len(layers) > 1 else ""
        cause = _in_call(call, gradients, name)
        if cause is not None:
            return cause
    return None


def _differentiable(call: LayersCall) -> Tensors:
    return [leaf for leaf in pytree.tree_leaves(call.result) if isinstance(leaf, Tensor) and leaf.requires_grad]


def _gradients(outputs: Tensors, inputs: Tensors, arriving: Tensors) -> Tensors:
    """Return the gradients of outputs, whose own are given; zeros where nothing depends on an input."""
    if not inputs:
        return []
    return list(torch.autograd.grad(outputs, inputs, arriving, allow_unused=True, materialize_grads=True))


def _in_call(call: LayersCall, arriving: Tensors, name: str) -> Cause | None:
    """Return where the gradient stops being finite within one call, or that it was not when it arrived."""
    if not all(bool(torch.isfinite(gradient).all()) for gradient in arriving):
        which = name or "the recurrent layers"
        return Cause(f"the gradient that arrives at the output of {which} is not finite: look at what follows them")
    ordered = OrderedCall.of(call, name)
    if ordered is None:
        return None
    gradients = _of_quantities(ordered, arriving)
    spots = list(ordered.not_finite(gradients, latest=True))
    return _cause(ordered, gradients, max(spots, key=ordered.turn)) if spots else None


def _of_quantities(call: OrderedCall, arriving: Tensors) -> dict[str, Tensors]:
    """Return the gradient of each quantity, [T, B, n] of each layer and direction as it is read."""
    run = NudgedRun(call.layers, call.names, call.x, call.rows, call.initial, call.further)
    outer = run.output.transpose(0, 1) if call.layers.batch_first else run.output
    leaves = [outer, *run.states.values()][: len(arriving)]
    found = iter(_gradients(leaves, [nudge for part in run.nudges for nudge in part.values()], arriving))
    by_place = [{name: next(found) for name in part} for part in run.nudges]
    return {name: [part[name] for part in by_place] for name in call.names}


def _cause(call: OrderedCall, gradients: dict[str, Tensors], spot: Spot) -> Cause:
    """Return the sentence about one number."""
    value = float(call.recorded()[spot.name][spot.place][spot.step, spot.row, spot.unit])
    index = known_names(call.graph)[spot.name]
    uses = {node.op for node in call.graph.nodes if index in node.args}
    reasons = [reason for op, reason in STEEP.items() if op in uses and value == 0]
    sentence = (
        f"the gradient of `{spot.name}[{spot.unit}]` is {spot.value} first, from the last step back, at "
        f"{call.where(spot)}, where `{spot.name}[{spot.unit}]` is {value:.3g}"
    )
    later = [gradients[state][spot.place][spot.step + 1 :].abs() for state in call.graph.states if state in gradients]
    sizes = [
        f"|dL/d{state}| was {float(size.max()):.3g}"
        for state, size in zip(call.graph.states, later, strict=False)
        if size.numel()
    ]
    after = [f"at the steps after it the largest {', '.join(sizes)}"] if sizes else []
    return Cause("; ".join([sentence, *reasons[:1], *after]), certain=bool(reasons))
