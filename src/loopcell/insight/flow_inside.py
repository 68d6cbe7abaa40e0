"""The gradient flow of the recurrent layers inside of any model, from the model's own loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.errors import InputError
from loopcell.insight.capture import LayersCall, calls_of
from loopcell.insight.evaluation import in_evaluation
from loopcell.insight.flow import Arriving, GradientFlow, LossOf, demand_number, demanded_states, flow_of, gradient_flow
from loopcell.insight.nudges import NudgedRun
from loopcell.insight.treatments import Treatment, treat_
from loopcell.layers.stack import Stack

Read = Callable[[nn.Module], Tensor]


def gradient_flow_inside(
    model: nn.Module, read: Read, loss_of: LossOf, *, place: str = "", treatment: Treatment | None = None
) -> GradientFlow:
    """Return how the gradient of a model's loss flows back through its recurrent layers.

    Args:
        model: any module; it reads in evaluation, and neither changes nor gets gradients.
        read: makes the model, or a treated copy of it, read a batch; returns the loss, or anything where `loss_of` is
            "last output".
        loss_of: what the loss is of; "last output": of the layers' last output along a random direction instead.
        place: the submodule whose layers are looked at: those of them that were called first; "" for the model.
        treatment: as for `gradient_flow`; all recurrent layers of the model are treated.

    Raises:
        InputError: nothing recurrent was called with a batch, the loss is not one number, or the treatment does not fit
            the cell.
    """
    first = _call(model, read, place)
    if treatment is not None:
        model, steps = copy.deepcopy(model), first.x.shape[int(first.layers.batch_first)]
        for layers in _stacks(model):
            treat_(layers, treatment, steps)
    if loss_of == "last output":
        found = _call(model, read, place)
        options = treatment if treatment == "clip" else None
        lengths = found.others["lengths"]
        further = {name: found.others[name].detach() for name in found.layers.spec.further}
        flow = gradient_flow(found.layers, found.x.detach(), lengths=lengths, treatment=options, inputs=further)
        return replace(flow, treatment=treatment)
    with in_evaluation(model), torch.enable_grad(), calls_of(_stacks(model.get_submodule(place))) as calls:
        loss = read(model)
        demand_number(loss)
    return _from_outputs(_first(calls), loss, (loss_of, treatment))


def _stacks(model: nn.Module) -> list[Stack]:
    return [module for module in model.modules() if isinstance(module, Stack)]


def _call(model: nn.Module, read: Read, place: str) -> LayersCall:
    """Return the call of the layers that are looked at."""
    with in_evaluation(model), torch.no_grad(), calls_of(_stacks(model.get_submodule(place))) as calls:
        read(model)
    return _first(calls)


def _first(calls: Sequence[LayersCall]) -> LayersCall:
    fitting = [call for call in calls if call.has_steps()]
    if not fitting:
        raise InputError("there is no gradient to look at: the model called no layer of loopcell with a batch of steps")
    return fitting[0]


def _from_outputs(call: LayersCall, loss: Tensor, said: tuple[LossOf, Treatment | None]) -> GradientFlow:
    """Return the flow of the gradients that arrive at the output and at the last state of a call."""
    net = call.layers
    results = [leaf for leaf in pytree.tree_leaves(call.result) if isinstance(leaf, Tensor)]
    leaves = [leaf for leaf in results if leaf.requires_grad]
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    x, rows, initial, further = call.time_first()
    with in_evaluation(net):
        run = NudgedRun(net, demanded_states(net), x, rows, initial, further)
    output = run.output.transpose(0, 1) if net.batch_first else run.output
    found = zip(results, [output, *run.states.values()], strict=False)
    outputs = [again for leaf, again in found if leaf.requires_grad]
    return flow_of(net, run, rows, Arriving(outputs, gradients, float(loss.detach())), said, dynamics=True)
