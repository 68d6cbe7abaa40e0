"""Static values beside a sequence as inputs of a step: each step is given the same."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from loopcell.equations import sized, where
from loopcell.export.step_model import Equations, Lookup, Quantity, Stage, formula
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.inputs.static import StaticInput, StaticReader
from loopcell.tasks.core.step_models.categories import token_facts, token_inputs
from loopcell.tasks.core.step_models.step_input import as_scale

STATIC = "static"
NOTE = "static values hold for a whole sequence: give every step of it the same"


class StaticStep(NamedTuple):
    """The part of a step that reads the static values.

    Attributes:
        inputs: of the model: `static`, the numbers, and a token for each column of categories.
        stages: what makes numbers of them.
        gives: these, one after the other.
        facts: for the manifest.
    """

    inputs: tuple[Quantity, ...]
    stages: tuple[Stage, ...]
    gives: tuple[Quantity, ...]
    facts: dict[str, object]


def static_step(reads: StaticInput, reader: StaticReader, taken: tuple[Quantity, ...]) -> StaticStep:
    """Return the stages of static values.

    Args:
        reads: what was learned of them.
        reader: the network's layer.
        taken: the other inputs of the model.
    """
    inputs, stages = list[Quantity](), list[Stage]()
    if reads.columns:
        inputs.append(Quantity(STATIC, len(reads.columns)))
        stages.append(_numbers(reads, inputs[0]))
    names = [f"{STATIC} {reads.names[at]}" for at in reads.categories]
    tokens = token_inputs(names, [one.name for one in (*taken, *inputs)])
    for token, embedding in zip(tokens, reader.embeddings, strict=True):
        table = as_floats(embedding.get_parameter("weight"))
        stages.append(Lookup(Quantity(f"{token.name}_vector", table.shape[1]), table, token.name))
    facts: dict[str, object] = {"static columns": [reads.names[at] for at in reads.columns]}
    if tokens:
        facts["static categories"] = token_facts(tokens, list(reads.categories.values()))
    return StaticStep((*inputs, *tokens), tuple(stages), tuple(stage.gives for stage in stages), facts)


def _numbers(reads: StaticInput, static: Quantity) -> Equations:
    """Return the stage of the numbers on their scale, and behind them which of those that may be missing are there."""
    mean, deviation = as_scale(reads.scale)
    width = static.size + len(reads.masked)
    place = np.eye(width, static.size, dtype=np.float32)
    learned = {"scale.mean": mean, "scale.deviation": deviation, "place.value": place}
    if reads.masked:
        there = np.zeros_like(place)
        there[np.arange(static.size, width), [reads.columns.index(at) for at in reads.masked]] = 1.0
        learned["place.there"] = there

    def scaled(x: Any, *, scale: Any, place: Any) -> Any:
        there = abs(x) > -1.0  # every number, and not NaN
        value = place.value @ where(there, (x - scale.mean) / scale.deviation, 0.0)
        return sized(value + place.there @ there if reads.masked else value, "read")

    sizes = {"input": static.size, "read": width}
    doc = "static numbers, and behind them which are there"
    return Equations(Quantity("static_read", width), formula(scaled), sizes, learned, {"x": static.name}, doc)
