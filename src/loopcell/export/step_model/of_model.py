"""The step of whatever somebody wants to export: a network, an estimator, or a step as it is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn

from loopcell.errors import UsageError
from loopcell.export.step_model.of_layers import layer_stages
from loopcell.export.step_model.of_list import step_of_layers
from loopcell.export.step_model.stages import Output, Quantity, StepModel
from loopcell.layers.stack import Stack


@runtime_checkable
class HasStepModel(Protocol):
    """A trained model that can be written as one step."""

    def step_model(self) -> StepModel:
        """Return the step.

        Raises:
            UsageError: there is none.
        """


def step_model_of(model: object) -> StepModel:
    """Return the step of a network or of a trained estimator.

    Args:
        model: `Recurrent`, `RNN`, `LSTM`, `GRU`, an estimator, or a `StepModel`; or layers in the order in which they
            run, such as `[net, torch.nn.Linear(32, 3), torch.nn.Softmax(-1)]`.

    Raises:
        UsageError: it has no step, or is nothing of these.
    """
    if isinstance(model, StepModel):
        return model
    if isinstance(model, Stack):
        return _of_network(model)
    if isinstance(model, HasStepModel):
        return model.step_model()
    if isinstance(model, nn.Sequential | list | tuple):
        return step_of_layers(list(model))
    raise UsageError(
        f"what is exported is a recurrent network or a trained estimator, not a {type(model).__name__}; of a module of "
        "your own export its layers as a list, [net, head], or make a StepModel of its stages"
    )


def _of_network(layers: Stack) -> StepModel:
    """Return the step of a network: its first input x, what its cell reads beside it, and the output."""
    spec = layers.spec
    first, *others = spec.cell.graph.inputs or ("x",)
    x = Quantity(first, spec.input_size)
    beside = [Quantity(name, spec.further[name].width) for name in others]
    stages = layer_stages(layers, x, further={one.name: one.name for one in beside})
    name = spec.cell.name if spec.cell.name.isidentifier() else "network"
    return StepModel(name, (x, *beside), tuple(stages), (Output(stages[-1].gives.name),))
