"""The step of layers one after the other, such as an imported network and the head that was trained with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from loopcell.equations import Value, maximum, sigmoid, tanh
from loopcell.errors import UsageError
from loopcell.export.step_model.formulas import formula, linear_stage
from loopcell.export.step_model.of_layers import as_floats, layer_stages
from loopcell.export.step_model.stages import Equations, Output, Quantity, Softmax, Stage, StepModel
from loopcell.layers.stack import Stack


def step_of_layers(layers: Sequence[Any]) -> StepModel:
    """Return the step of layers that run one after the other.

    Args:
        layers: networks, `nn.Linear`, `nn.Tanh`, `nn.Sigmoid`, `nn.ReLU` and `nn.Softmax` over the last axis;
            `nn.Dropout` and `nn.Identity` do nothing there.

    Raises:
        UsageError: a layer is of another kind, does not take what the one before it gives, or none has a size.
    """
    acting = acting_layers(layers)
    reads = _input_of(acting)
    x, stages = reads, list[Stage]()
    for place, layer in enumerate(acting, 1):
        made = _stages(layer, place, reads)
        stages += made
        reads = made[-1].gives
    return StepModel("network", (x,), tuple(stages), (Output(reads.name),))


def acting_layers(layers: Sequence[Any]) -> list[nn.Module]:
    """Return the layers that do something outside of training."""
    return [layer for layer in layers if not isinstance(layer, nn.Dropout | nn.Identity)]


def run_layers(layers: Sequence[Any], x: Tensor) -> Tensor:
    """Run layers on a whole sequence [T, n], as they are in evaluation."""
    for layer in acting_layers(layers):
        training = layer.training
        layer.eval()
        try:
            given = layer(x)
        finally:
            layer.train(training)
        x = given[0] if isinstance(layer, Stack) else given
    return x


def _input_of(layers: Sequence[nn.Module]) -> Quantity:
    for layer in layers:
        sizes = _sizes(layer)
        if sizes is not None:
            return Quantity("x", sizes[0])
    raise UsageError("layers to export have a recurrent network or a torch.nn.Linear among them, which has a size")


def _sizes(layer: nn.Module) -> tuple[int, int] | None:
    if isinstance(layer, Stack):
        return layer.spec.input_size, layer.spec.executables[-1].output_size
    return (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else None


def _stages(layer: nn.Module, place: int, reads: Quantity) -> Sequence[Stage]:
    sizes = _sizes(layer)
    if sizes is not None and sizes[0] != reads.size:
        raise UsageError(f"layer {place} reads {sizes[0]} numbers, and the one before it gives {reads.size}")
    if isinstance(layer, Stack):
        return layer_stages(layer, reads, name=f"network{place}_")
    if isinstance(layer, nn.Linear):
        bias = np.zeros(layer.out_features, np.float32) if layer.bias is None else as_floats(layer.bias)
        return [linear_stage(f"linear{place}", reads, as_floats(layer.weight), bias, "a linear layer")]
    kind = type(layer)
    if kind is nn.Softmax and layer.dim == -1:
        return [Softmax(Quantity(f"softmax{place}", reads.size), reads.name)]
    if kind in _FUNCTIONS:
        word = kind.__name__.lower()
        gives = Quantity(f"{word}{place}", reads.size)
        return [Equations(gives, formula(_FUNCTIONS[kind]), {"input": reads.size}, {}, {"x": reads.name}, word)]
    shown = f"{layer}".partition("\n")[0] if isinstance(layer, nn.Module) else kind.__name__
    raise UsageError(
        f"layer {place}, {shown}, has no step here: layers to export are recurrent networks of loopcell, "
        "torch.nn.Linear, Tanh, Sigmoid, ReLU, and Softmax(dim=-1); for anything else put a StepModel together"
    )


def _tanh(x: Value) -> Value:
    return tanh(x)


def _sigmoid(x: Value) -> Value:
    return sigmoid(x)


def _relu(x: Value) -> Value:
    return maximum(x, 0.0)


_FUNCTIONS: Mapping[type, Any] = {nn.Tanh: _tanh, nn.Sigmoid: _sigmoid, nn.ReLU: _relu}
