"""An effect as one step: a sample in, a sample out."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from loopcell.equations import Value
from loopcell.export.step_model import Equations, Output, Quantity, Stage, StepModel, formula, layer_stages
from loopcell.export.step_model.formulas import linear_stage
from loopcell.export.step_model.of_layers import as_floats
from loopcell.export.step_model.starting import starting_at
from loopcell.importing.activations import KERAS
from loopcell.importing.building import Network
from loopcell.tasks.audio.layers import EffectLayers, Layer


def effect_step(layers: EffectLayers, sample_rate: int, *, skip: bool) -> StepModel:
    """Return the step of an effect.

    Args:
        layers: of the effect.
        sample_rate: Hz.
        skip: the sample is added to what comes out.
    """
    x = Quantity("x", 1)
    stages: list[Stage] = []
    reads = x
    for place, layer in enumerate(layers.layers):
        made = _stages(layers, place, layer, reads)
        stages += made
        reads = made[-1].gives
    y = Quantity("y", 1)
    facts = {"sample_rate": sample_rate, "answers": "samples"}
    read = {"x": reads.name} | ({"sound": x.name} if skip else {})
    doc = "what the layers make of the sound, added to it" if skip else "what the layers make of the sound"
    stages.append(Equations(y, formula(_added if skip else _same), {"input": 1}, {}, read, doc))
    return StepModel("effect", (x,), tuple(stages), (Output("y"),), facts)


def _stages(layers: EffectLayers, place: int, layer: Layer, reads: Quantity) -> list[Equations]:
    if isinstance(layer, Network):
        made = layer_stages(layer, reads, name=f"network{place + 1}_")
        start = layers.starts.get(place)
        if start is None:
            return made
        return [
            starting_at(stage, {name: as_floats(tensor[number, 0]) for name, tensor in start.items()})
            for number, stage in enumerate(made)
        ]
    if isinstance(layer, nn.Linear):
        bias = np.zeros(layer.out_features, np.float32) if layer.bias is None else as_floats(layer.bias)
        return [linear_stage(f"linear{place + 1}", reads, as_floats(layer.weight), bias, "a linear layer")]
    function = KERAS[layer.name].equation

    def activated(x: Value) -> Value:
        return function(x)

    gives = Quantity(f"{layer.name}{place + 1}", reads.size)
    return [Equations(gives, formula(activated), {"input": reads.size}, {}, {"x": reads.name}, layer.name)]


def _same(x: Any) -> Any:
    return x * 1.0


def _added(x: Any, sound: Any) -> Any:
    return x + sound
