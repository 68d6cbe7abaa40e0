"""Several models as one: their stages side by side, what they share once, and the mean of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from loopcell.errors import UsageError
from loopcell.export.step_model.formulas import formula, with_inputs
from loopcell.export.step_model.identity import digest_of
from loopcell.export.step_model.stages import Equations, Join, Quantity, Stage, StepModel, reads_of


def averaged(models: Sequence[StepModel]) -> StepModel:
    """Return one model that answers with the mean of what some models answer.

    A stage that all of them have, such as the scale of the inputs or the bands of a sound, is computed once.

    Args:
        models: of the same inputs and outputs; at least one.

    Raises:
        UsageError: their inputs or outputs differ.
    """
    first = models[0]
    if any(
        (model.inputs, model.outputs, model.frames) != (first.inputs, first.outputs, first.frames) for model in models
    ):
        raise UsageError("models whose answers are averaged have the same inputs and the same outputs")
    if len(models) == 1:
        return first
    keys = [_keys(model) for model in models]
    shared = set(keys[0].values()).intersection(*(own.values() for own in keys[1:]))
    stages: dict[str, Stage] = {}
    names = [
        _add(stages, model, own, shared, f"_{at}") for at, (model, own) in enumerate(zip(models, keys, strict=True), 1)
    ]
    for output in first.outputs:
        means = [own[output.name] for own in names]
        stages[output.name] = _mean(output.name, first.quantities[output.name].size, means)
    notes = tuple(dict.fromkeys(note for model in models for note in model.notes))
    return replace(first, stages=tuple(stages.values()), notes=notes)


def _keys(model: StepModel) -> dict[str, str]:
    """Return what tells a stage from others: what it computes of what, whatever its name is."""
    known = {one.name: f"input {one.name}" for one in model.inputs}
    for stage in model.stages:
        known[stage.gives.name] = digest_of(stage, [known[name] for name in reads_of(stage)])
    return known


def _add(
    stages: dict[str, Stage], model: StepModel, keys: Mapping[str, str], shared: set[str], suffix: str
) -> dict[str, str]:
    """Add a model's stages to those of others; gives the new names of its quantities."""
    outputs = {one.name for one in model.outputs}
    names = {one.name: one.name for one in model.inputs}
    for stage in model.stages:
        name = stage.gives.name
        names[name] = name if keys[name] in shared and name not in outputs else f"{name}{suffix}"
        stages.setdefault(names[name], renamed(stage, names))
    return names


def renamed(stage: Stage, names: Mapping[str, str]) -> Stage:
    """Return a stage with other names for what it gives and reads."""
    gives = Quantity(names[stage.gives.name], stage.gives.size)
    if isinstance(stage, Equations):
        return replace(stage, gives=gives, reads={name: names[read] for name, read in stage.reads.items()})
    if isinstance(stage, Join):
        return replace(stage, gives=gives, reads=tuple(names[read] for read in stage.reads))
    return replace(stage, gives=gives, reads=names[stage.reads])


def _mean(name: str, size: int, of: Sequence[str]) -> Equations:
    inputs = [f"x{number}" for number in range(1, len(of) + 1)]

    def mean(values: list[Any]) -> Any:
        return reduce(add, values) / float(len(of))

    graph = formula(with_inputs(mean, inputs))
    reads = dict(zip(inputs, of, strict=True))
    return Equations(Quantity(name, size), graph, {"input": size}, {}, reads, f"the mean of {len(of)} models")
