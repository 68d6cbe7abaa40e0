"""Models that can be exported, as a StepModel: one already, a network of layers, or whatever says its own."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

from loopcell.equations import Key
from loopcell.errors import UsageError
from loopcell.export.step_model import Output, Quantity, StepModel, layer_stages
from loopcell.layers.stack import Stack


@runtime_checkable
class HasStepModel(Protocol):
    """A model that says what it computes at a step."""

    def step_model(self) -> StepModel:
        """Return the whole model as one step."""


Exportable: TypeAlias = StepModel | Stack | HasStepModel


def as_step_model(model: Exportable) -> StepModel:
    """Return a model as one step.

    Args:
        model: a StepModel; a network such as `Recurrent` or `LSTM`, whose inputs are then called as its cell calls
            them and whose output is that of the last layer; or a model with a method `step_model`.

    Raises:
        UsageError: it is none of these, or has no step, as a bidirectional network.
    """
    if isinstance(model, StepModel):
        return model
    if isinstance(model, Stack):
        return _of_network(model)
    if isinstance(model, HasStepModel):
        return model.step_model()
    raise UsageError(
        f"an export takes a network, or a model that says its step; got a value of type {type(model).__name__}"
    )


def _of_network(net: Stack) -> StepModel:
    cell, sizes = net.spec.cell, net.spec.executables[0].sizes
    lengths = {name: cell.graph.declared_sizes[Key("input", name)] for name in cell.graph.inputs}
    inputs = [Quantity(name, sizes[size] if size else 1) for name, size in lengths.items()]
    inputs = inputs or [Quantity("x", net.input_size)]  # of a cell that reads none
    stages = layer_stages(net, inputs[0], further={one.name: one.name for one in inputs})
    return StepModel(cell.name, tuple(inputs), tuple(stages), (Output(stages[-1].gives.name),))
