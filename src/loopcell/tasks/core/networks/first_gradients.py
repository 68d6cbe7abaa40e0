"""The first number of a gradient that is not finite, on its way back through a recurrent network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.insight.capture import LayersCall, calls_of
from loopcell.insight.nudges import NudgedLayer
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
    spots = list(_spots(ordered, gradients))
    return _cause(ordered, gradients, min(spots, key=lambda spot: _when(ordered, spot))) if spots else None


def _of_quantities(call: OrderedCall, arriving: Tensors) -> dict[str, Tensors]:
    """Return the gradient of each quantity, [T, B, n] of each layer and direction as it is read."""
    with torch.enable_grad():
        output, finals, nudges = _nudged_run(call)
    outer = output.transpose(0, 1) if call.layers.batch_first else output
    leaves = [outer, *(torch.stack(parts) for parts in zip(*finals, strict=True))][: len(arriving)]
    found = iter(_gradients(leaves, [nudge for part in nudges for nudge in part.values()], arriving))
    by_place = [{name: next(found) for name in part} for part in nudges]
    return {name: [part[name] for part in by_place] for name in call.names}


def _nudged_run(call: OrderedCall) -> tuple[Tensor, list[Tensors], list[dict[str, Tensor]]]:
    """Run the layers with nudges; the output [T, B, D * O], and for each place its final states and nudges."""
    net, x = call.layers, call.x
    finals: list[Tensors] = []
    every: list[dict[str, Tensor]] = []
    directions = [call.rows, call.rows.reversed()] if net.bidirectional else [call.rows]
    for layer in range(net.num_layers):
        nudged = NudgedLayer(net, layer, call.names)
        outputs = []
        for direction, rows in enumerate(directions):
            nudges = nudged.nudges(x.shape[0], x.shape[1], x)
            sizes = nudged.executable.state_sizes.items()
            before = [_start(call, state, size, len(finals)) for state, size in sizes]
            inner, weights = call.as_read(x, direction), net.sources(layer, direction)
            beside = nudged.beside(nudges)
            y, after, *_ = nudged.executable(inner, before, weights, rows, training=net.training, beside=beside)
            outputs.append(call.as_read(y, direction))
            finals.append(after)
            every.append(nudges)
        x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
    return x, finals, every


def _start(call: OrderedCall, state: str, size: int, place: int) -> Tensor:
    return call.initial[state][place] if state in call.initial else call.x.new_zeros(call.x.shape[1], size)


def _spots(call: OrderedCall, gradients: dict[str, Tensors]) -> Iterator[Spot]:
    """Yield the number of each quantity that is not finite at the latest step."""
    for order, name in enumerate(call.names):
        for place, gradient in enumerate(gradients[name]):
            bad = (~torch.isfinite(gradient)).nonzero()  # in the order of steps, rows, units
            if len(bad):
                step, row, unit = bad[bad[:, 0] == bad[-1, 0]][0].tolist()
                yield Spot(place, step, order, name, row, unit, float(gradient[step, row, unit]))


def _when(call: OrderedCall, spot: Spot) -> tuple[int, ...]:
    """Return the place of a spot in the order of the backward pass."""
    layer = spot.place // call.layers.num_directions
    both = call.layers.bidirectional
    return (-layer, -spot.step, -spot.order) if both else (-spot.step, -layer, -spot.order)


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
