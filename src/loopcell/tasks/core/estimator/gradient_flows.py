"""The gradient flow of an estimator's network, and beside it the flow after a treatment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from torch import Tensor, nn

from loopcell.insight.flow import GradientFlow, LossOf
from loopcell.insight.flow_inside import Read, gradient_flow_inside
from loopcell.insight.treatments import Treatment
from loopcell.tasks.core.estimator.engine import Trainable, device_of, on_device
from loopcell.tasks.core.estimator.examples import SequenceExamples


def flow_in(
    network: nn.Module, read: Read, loss_of: LossOf, steps: Sequence[str], *, place: str, treatment: Treatment | None
) -> GradientFlow:
    """Return the flow in a network's recurrent layers; with a treatment that after it, beside the one before.

    Args:
        network: the network.
        read: makes it, or a treated copy, read the sequence; as `gradient_flow_inside` says.
        loss_of: what the loss is of.
        steps: what stands at each step.
        place: the submodule whose layers are looked at.
        treatment: what is tried.
    """
    before = replace(gradient_flow_inside(network, read, loss_of, place=place), steps=tuple(steps))
    if treatment is None:
        return before
    after = gradient_flow_inside(network, read, loss_of, place=place, treatment=treatment)
    return replace(after, steps=tuple(steps)).beside(before)


def flow_of_example(
    network: nn.Module, examples: SequenceExamples, steps: Sequence[str], treatment: Treatment | None
) -> GradientFlow:
    """Return the flow in the reader of a network for one example: of its training loss where it has a target.

    Args:
        network: with a `reader` and a loss.
        examples: the one.
        steps: what stands at each step.
        treatment: what is tried.
    """
    batch = on_device(examples.batch(np.array([0])), device_of(network))
    if examples.targets is None:

        def read(model: nn.Module) -> Tensor:
            output: Tensor = model.get_submodule("reader")(batch.inputs, batch.lengths)[0]
            return output

        return flow_in(network, read, "last output", steps, place="reader", treatment=treatment)

    def loss(model: nn.Module) -> Tensor:
        found = cast("Trainable", model).loss(batch)
        return found.total / found.predictions

    return flow_in(network, loss, "training loss", steps, place="reader", treatment=treatment)
