"""An anomaly detector as one step: the newest values in, the score of the step and the alarm out."""

from __future__ import annotations

from typing import Any

import numpy as np

from loopcell.equations import sized, sqrt, total
from loopcell.export.step_model import Delay, Equations, Join, Output, Quantity, Stage, StepModel, formula
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.forecasting.errors import UsualErrors
from loopcell.tasks.forecasting.step_forecasts import forecast_stages
from loopcell.tasks.forecasting.step_reading import SeriesData, demand_step_model, series_step


def detector_step(network: Any, data: SeriesData, threshold: float, still: list[int]) -> StepModel:
    """Return the step of a detector: how far off the forecasts of this step were, 1 being usual, and whether it alarms.

    Args:
        network: an `AnomalyNetwork`, trained.
        data: what training found of the targets and of what is read beside them.
        threshold: above which a score is an alarm.
        still: the numbers of the targets that are forecast to stay.

    Raises:
        UsageError: the network reads what a step is not given, or not step by step.
    """
    demand_step_model(network, data.covariates, "anomaly detector")
    step = series_step(network, data)
    forecasts, said = forecast_stages(network, step, 1)
    stages: list[Stage] = [*step.stages, *forecasts]
    errors = _errors(stages, [one.gives for (one,) in said], network.steps, still)
    score = _score(network.usual, errors)
    alarm = _alarm(score.gives, threshold)
    stages += [score, alarm]
    few = network.history + network.steps - 1
    early = f"the first {few:,} scores are of fewer steps than a score needs: leave them out"
    outputs = (Output("score", ("score",)), Output("anomaly", ("anomaly",)))
    facts = {**step.facts, "threshold": threshold}
    return StepModel("detector", step.inputs, tuple(stages), outputs, facts, (early, *step.notes))


def _errors(stages: list[Stage], said: list[Quantity], steps: int, still: list[int]) -> Quantity:
    """Add the values less what the last f steps forecast of them, [f * K]: the nearest of all targets first."""
    targets = len(said)
    whole = Quantity("forecasts", steps * targets)
    stages.append(Join(whole, tuple(one.name for one in said)))
    recent = Quantity("forecasts_before", (steps + 1) * whole.size)
    stages.append(Delay(recent, steps + 1, whole.name))
    now, before = np.zeros((steps * targets, targets), np.float32), np.zeros((steps * targets, recent.size), np.float32)
    for ahead in range(steps):
        for target in range(targets):
            row = ahead * targets + target
            now[row, target] = 1.0
            # Kept are f + 1 steps, the oldest first: that of j + 1 steps ago is number f - 1 - j, and said step j + 1.
            at = (steps - 1 - ahead) * whole.size + target * steps + ahead
            before[row, at] = 0.0 if target in still else 1.0
    gives = Quantity("errors", steps * targets)
    sizes = {"input": targets, "before": recent.size, "errors": gives.size}
    learned: dict[str, Floats] = {"place.now": now, "place.before": before}
    graph = formula(_less, {"before": "before"})
    doc = "the values less what was forecast of them"
    stages.append(Equations(gives, graph, sizes, learned, {"x": "scaled", "before": recent.name}, doc))
    return gives


def _less(x: Any, before: Any, *, place: Any) -> Any:
    return sized(place.now @ x - place.before @ before, "errors")


def _score(usual: UsualErrors, errors: Quantity) -> Equations:
    """Return the distance from the usual errors, where these spread in every direction as they do."""
    count = float(errors.size)
    mean, whiten = (
        np.ascontiguousarray(part.double().cpu().numpy(), np.float32) for part in (usual.mean, usual.whiten)
    )

    def score(x: Any, *, usual: Any) -> Any:
        apart = sized(usual.whiten @ (x - usual.mean), "input")
        return sized(usual.one * sqrt(total(apart * apart) / count), "one")

    learned = {"usual.whiten": whiten, "usual.mean": mean, "usual.one": np.ones(1, np.float32)}
    doc = "the distance from the usual errors: 1 is to be expected"
    return Equations(
        Quantity("score", 1), formula(score), {"input": errors.size, "one": 1}, learned, {"x": errors.name}, doc
    )


def _alarm(score: Quantity, threshold: float) -> Equations:
    def anomaly(x: Any, *, usual: Any) -> Any:
        return (x > usual.threshold) * 1.0

    learned = {"usual.threshold": np.full(1, threshold, np.float32)}
    return Equations(
        Quantity("anomaly", 1), formula(anomaly), {"input": 1}, learned, {"x": score.name}, "1 for an alarm"
    )
