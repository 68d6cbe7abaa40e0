"""The figures of a tagger beside baselines: of one label a step, or of sets of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.tasks.core.estimator import IGNORED, Part, SequenceExamples
from loopcell.tasks.core.paired import noise_of
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.sequences.baselines.steps import sets_without_history, tags_without_history
from loopcell.tasks.sequences.metrics.classification import label_figures
from loopcell.tasks.sequences.metrics.tagging import (
    step_losses,
    step_set_metrics,
    steps_right,
    tag_confusion,
    tag_metrics,
)
from loopcell.tasks.sequences.targets import StepLabels, label_steps

Array = npt.NDArray[Any]


class Tagged(NamedTuple):
    """Examples, and the labels of their steps in the user's form."""

    examples: SequenceExamples
    y: Part


class Answers(NamedTuple):
    """Answers of a tagger to examples.

    Attributes:
        best: the most probable labels as numbers [T], or zeros and ones [T, K], of each.
        likely: the probabilities [T, K] of each.
        prior: the labels' probabilities [K] by nothing but how frequent they are in training.
    """

    best: list[Array]
    likely: list[Array]
    prior: Array


def step_table(
    targets: StepLabels,
    tagged: Tagged,
    answer: Callable[[SequenceExamples], Answers],
    training: SequenceExamples | None,
) -> ScoreTable:
    """Return the figures of a tagger.

    Args:
        targets: the labels, and whether a step has one or several.
        tagged: what it is scored on.
        answer: says what the tagger says.
        training: for baselines that have to learn; None leaves them out.
    """
    return (_of_sets if targets.several else _of_labels)(targets, tagged, answer(tagged.examples), training)


def _of_labels(targets: StepLabels, tagged: Tagged, answers: Answers, training: SequenceExamples | None) -> ScoreTable:
    classes = targets.labels.values
    true = [list(label_steps(tagged.y, index)) for index in range(len(tagged.y))]
    given: dict[str, Sequence[Any]] = {"model": [targets.decoded(row) for row in answers.best]}
    majority = targets.decoded(answers.prior.argmax().reshape(1))
    given["majority label"] = [np.repeat(majority, len(labels)) for labels in true]
    if training is not None:
        name, numbers = tags_without_history(_learned_from(training), tagged.examples.inputs)
        given[name] = [targets.decoded(row) for row in numbers]
    rows = {name: tag_metrics(true, labels, classes) for name, labels in given.items()}
    counts = tag_confusion(true, given["model"], classes)
    lacking = sum(label is None for labels in true for label in labels)
    right = {name: steps_right(true, labels) for name, labels in given.items()}
    about, names = _counted(tagged.examples, lacking), tuple(str(label) for label in classes)
    return ScoreTable(about, rows, counts, names, noise=noise_of("accuracy", right, _sequence_of_steps(tagged)))


def _of_sets(targets: StepLabels, tagged: Tagged, answers: Answers, training: SequenceExamples | None) -> ScoreTable:
    true = targets.numbers(tagged.y, tagged.examples.lengths, strict=False).values
    given = {"model": np.concatenate(answers.likely), "label frequencies": np.tile(answers.prior, (len(true), 1))}
    if training is not None:
        name, likely = sets_without_history(_learned_from(training), tagged.examples.inputs)
        given[name] = likely
    rows = {name: step_set_metrics(true, likely) for name, likely in given.items()}
    by_label = label_figures(true == 1, (given["model"] > 0.5) & (true != IGNORED), targets.labels.values)
    lacking = int((~targets.steps_known(true)).sum())
    losses = {name: step_losses(true, likely) for name, likely in given.items()}
    noise = noise_of("NLL/step", losses, _sequence_of_steps(tagged))
    return ScoreTable(_counted(tagged.examples, lacking), rows, by_label=by_label, noise=noise)


def _sequence_of_steps(tagged: Tagged) -> npt.NDArray[np.int64]:
    """Return the number of the sequence of each step, all sequences one after the other."""
    lengths = tagged.examples.lengths
    return np.repeat(np.arange(len(lengths)), lengths)


def _learned_from(training: SequenceExamples) -> tuple[Ragged, Ragged]:
    assert isinstance(training.targets, Ragged)
    return training.inputs, training.targets


def _counted(examples: SequenceExamples, lacking: int) -> str:
    left_out = f" ({lacking:,} without a label left out)" if lacking else ""
    return f"{len(examples):,} sequences, {int(examples.lengths.sum()):,} steps{left_out}"
