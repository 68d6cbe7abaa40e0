"""Recurrent layers as stages, one for each layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from loopcell.errors import UsageError
from loopcell.export.step_model.stages import Equations, Floats, Quantity
from loopcell.layers.stack import Stack
from loopcell.passes import build_program


def layer_stages(
    layers: Stack, reads: Quantity, *, name: str = "layer", further: Mapping[str, str] | None = None
) -> list[Equations]:
    """Return a stage for each layer of a network, as evaluation runs it.

    Args:
        layers: what reads forward only.
        reads: the quantity that the first layer reads, of the network's input size.
        name: stages are called NAME1, NAME2, ...
        further: the name of the quantity of each further input of the cell, by the input's name.

    Raises:
        UsageError: the network reads backward too, or a further input has no quantity.
    """
    spec = layers.spec
    if spec.bidirectional:
        raise UsageError(
            "a bidirectional network reads a sequence from its end too, so it has no step: train one with "
            "bidirectional=False"
        )
    graph = build_program(spec.cell.graph, training=False).cell
    first, *others = graph.inputs or ("x",)
    missing = [one for one in others if one not in (further or {})]
    if missing:
        raise UsageError(
            f"cell `{spec.cell.name}` reads `{missing[0]}` beside its input, which this model does not give"
        )
    stages: list[Equations] = []
    for layer, executable in enumerate(spec.executables):
        gives = Quantity(f"{name}{layer + 1}", executable.output_size)
        parameters = {key: as_floats(value) for key, value in layers.weights(layer, 0).items()}
        read = {first: reads.name, **{one: (further or {})[one] for one in others}}
        where = f"layer {layer + 1} of {spec.num_layers}: {spec.cell.name}"
        stages.append(Equations(gives, graph, dict(executable.sizes), parameters, read, where))
        reads = gives
    return stages


def as_floats(tensor: Tensor) -> Floats:
    """Return a tensor as a float32 array of its own."""
    return np.array(tensor.detach().cpu().float().numpy(), np.float32, order="C")
