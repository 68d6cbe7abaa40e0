"""A user's sequence as the steps that an export takes, with the estimator's own answers to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data import LogMel
from loopcell.data.examples import SequenceData
from loopcell.data.features.mel import Framer
from loopcell.data.features.sounds import samples_of
from loopcell.errors import DataError, UsageError
from loopcell.export.step_model import OwnRun, StepCheck, StepModel
from loopcell.export.step_model.checks import MOST_SEQUENCES, MOST_STEPS
from loopcell.tasks.core.estimator import as_part
from loopcell.tasks.core.inputs import ArrayInput, FeatureInput, MixedInput
from loopcell.tasks.core.inputs.static import StaticInput
from loopcell.tasks.core.step_models.categories import columns_of, token_inputs
from loopcell.tasks.sequences.running import TaggedStep

Array = npt.NDArray[Any]
PREFIXES = 16
"""Of so many beginnings of a sequence a pooled model is asked for its answer."""


def aligned_check(model: Any, data: Any) -> StepCheck:
    """Return the check of a tagger, whose answer to a whole sequence has a row for each step.

    Args:
        model: trained.
        data: sequences.
    """

    def answered(X: SequenceData, _: int, __: int) -> tuple[Any, Array]:
        (answers,) = model.predict_proba(X)
        return answers, np.arange(len(answers))

    return _check(model, data, None, answered)


def pooled_check(model: Any, data: Any, answer: Callable[[Any], Array]) -> StepCheck:
    """Return the check of a classifier or regressor, whose answer is to all steps so far.

    Args:
        model: trained.
        data: sequences.
        answer: gives the answers [N, K] to sequences.
    """

    def answered(X: SequenceData, steps: int, number: int) -> tuple[Any, Array]:
        first = steps if number else 1  # of further sequences the whole is enough, since each answer is a run
        ends = np.unique(np.linspace(first, steps, min(steps, PREFIXES)).astype(np.int64))
        parts = [_beginning(X, int(end), steps) for end in ends]
        known = [(int(end) - 1, part) for end, part in zip(ends, parts, strict=True) if part is not None]
        rows = np.concatenate([np.asarray(answer(part)).reshape(1, -1) for _, part in known])
        return rows, np.array([at for at, _ in known])

    return _check(model, data, model.static_, answered)


def _check(
    model: Any,
    data: Any,
    static: StaticInput | None,
    answered: Callable[[SequenceData, int, int], tuple[Any, Array]],
) -> StepCheck:
    """Return the check of sequences: of the first ones with the model's answers, of all of them the inputs.

    Args:
        model: trained.
        data: sequences.
        static: what was learned of static values.
        answered: gives the model's answers to a sequence by itself, its count of steps and its number, and the steps
            that they are of.

    Raises:
        DataError: there is no sequence with a step.
        UsageError: the first is too long, and cannot be cut.
    """
    X = data if isinstance(data, SequenceData) else SequenceData(data)
    if not len(X):
        raise DataError("there is no sequence in the data to hold the export against")
    step = model.step_model()  # what has none says why
    name = step.outputs[0].name
    every, checks, left = [], list[StepCheck](), MOST_STEPS
    for number in range(len(X)):
        one = X[number : number + 1]
        inputs = _steps(model.input_, one)
        steps = len(next(iter(inputs.values())))
        if not steps:
            continue
        if static is not None:
            inputs |= _static_steps(step, static, one, steps)
        every.append(inputs)
        if left and len(checks) < MOST_SEQUENCES:
            count, cut = _cut(one, min(steps, left), steps, must=not checks)
            if count:
                shown = {name: values[:count] for name, values in inputs.items()}
                runs = {"own offline": answered(cut, count, len(checks)), **_streamed(model, cut)}
                checks.append(StepCheck(shown, {way: _run(name, *found) for way, found in runs.items()}))
            left -= count
    if not checks:
        raise DataError("the sequences of the data are empty: there is no step to hold the export against")
    first, *further = checks
    return replace(first, further=tuple(further), every=tuple(every))


def _cut(X: SequenceData, count: int, steps: int, *, must: bool) -> tuple[int, SequenceData]:
    """Return the first steps of a sequence, and how many; none of one that cannot be cut, unless it must be."""
    shorter = _beginning(X, count, steps)
    if shorter is not None:
        return count, shorter
    if must:
        raise UsageError(f"the first sequence has {steps:,} steps, and a check takes at most {MOST_STEPS:,}: cut it")
    return 0, X


def _run(name: str, answers: Any, steps: npt.NDArray[np.int64]) -> OwnRun:
    return OwnRun({name: np.asarray(answers, np.float64).reshape(len(steps), -1)}, steps)


def _steps(reads: Any, X: SequenceData) -> dict[str, Array]:
    """Return what a step is given of each step of a sequence."""
    if isinstance(reads, MixedInput):
        return _mixed_steps(reads, X) | _times(reads, X)
    if isinstance(reads, ArrayInput):
        (array,) = reads.each(X)
        return {"x": np.asarray(array, np.float32)} | _times(reads, X)
    if isinstance(reads, FeatureInput) and isinstance(reads.features, LogMel):
        features = reads.features
        samples = samples_of(X[0], "the sound", features.sample_rate)
        framer = Framer(features.width, features.step)
        return {"frame": np.concatenate([framer.push(samples.mean(axis=1)), framer.finish()])}
    if isinstance(reads, FeatureInput):
        (array,) = reads.each(X)
        return {"x": np.asarray(array, np.float32)}
    (ids,) = reads.sequences(as_part(X, "X"))
    return {"token": np.asarray(ids, np.int64)}


def _times(reads: ArrayInput, X: SequenceData) -> dict[str, Array]:
    if not reads.gaps.timed:
        return {}
    (array,) = reads.each(X)
    times = reads.times_of(X, 0, len(array))
    assert times is not None  # timed
    return {"dt": np.diff(times, prepend=times[:1])[:, None].astype(np.float32)}


def _mixed_steps(reads: MixedInput, X: SequenceData) -> dict[str, Array]:
    (array,) = reads.each(X)
    places = columns_of(reads.raw, reads.categories)
    ones = {column for columns in places.values() for column in columns}
    own = [column for column in range(reads.input_size) if column not in ones]
    found: dict[str, Array] = {"x": np.asarray(array[:, own], np.float32)} if own else {}
    tokens = token_inputs([reads.raw[at] for at in reads.categories], ("x", "dt"))
    for token, columns in zip(tokens, places.values(), strict=True):
        part = np.asarray(array)[:, columns]
        found[token.name] = np.where(part.any(1), part.argmax(1) + 1, 0).astype(np.int64)
    return found


def _static_steps(step: StepModel, static: StaticInput, X: SequenceData, count: int) -> dict[str, Array]:
    """Return the static values of a sequence, the same at every step."""
    numbers, ids = static.raw(as_part(X, "X"))
    found: dict[str, Array] = {}
    if static.columns:
        found["static"] = np.tile(numbers[:1], (count, 1)).astype(np.float32)
    tokens = [one.name for one in step.inputs if one.kind == "token" and one.name in _named(step)]
    return found | {name: np.full(count, one[0], np.int64) for name, one in zip(tokens, ids, strict=True)}


def _named(step: StepModel) -> Sequence[str]:
    named = step.facts.get("static categories", {})
    assert isinstance(named, dict)
    return list(named)


def _beginning(X: SequenceData, end: int, steps: int) -> SequenceData | None:
    """Return the first steps of a sequence; None where the rows of the example are no steps."""
    example = X[0]
    if end == steps:
        return X
    if not hasattr(example, "__getitem__") or not hasattr(example, "__len__") or len(example) != steps:
        return None
    times = None if X.times is None else [X.times[0][:end]]
    found = SequenceData([example[:end]], times=times)
    found.static, found.static_names = X.static, X.static_names
    return found


def _streamed(model: Any, X: SequenceData) -> dict[str, tuple[Any, Array]]:
    """Return the answers of the model's stream and the steps that they are of, where it has one of such rows."""
    try:
        stream = model.stream()
    except UsageError:
        return {}
    example = X[0]
    if isinstance(model.input_, FeatureInput):
        found = [*stream.feed(samples_of(example, "the sound", stream.sample_rate)), *stream.finish()]
        found = found[:MOST_STEPS]
    elif isinstance(model.input_, ArrayInput) and not isinstance(model.input_, MixedInput):
        (array,) = model.input_.each(X)
        rows_of = np.asarray(array).reshape(len(array), -1)
        found = stream.feed(_by_columns(stream.columns, rows_of) if _told_apart(model) else list(rows_of))
    else:
        return {}
    rows = [np.atleast_1d(one.probabilities if isinstance(one, TaggedStep) else one.value) for one in found]
    return {"own streamed": (np.array(rows), np.arange(len(rows)))}


def _told_apart(model: Any) -> bool:
    """Say whether rows of a stream have their columns by name, as what tells its sequences apart is one of them."""
    return model.columns_ is not None and bool(model.columns_.units)


def _by_columns(columns: Sequence[str], rows: Array) -> list[dict[str, Any]]:
    """Return the rows of one sequence as a stream takes them: what tells sequences apart first, the same in all."""
    told = columns[: len(columns) - rows.shape[1]]
    names = columns[len(told) :]
    return [{**dict.fromkeys(told, ""), **dict(zip(names, map(float, row), strict=True))} for row in rows]
