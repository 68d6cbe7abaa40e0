"""One sequence as an estimator shows it: its steps in words, its input as courses, the answer so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from loopcell.data import Ragged
from loopcell.data.examples import SequenceData
from loopcell.insight import CorpusPart, LayerView, Prediction
from loopcell.insight.corpus_parts import chosen
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.inputs.static import StaticRows
from loopcell.tasks.core.networks.ensemble import Ensemble

MOST_TRACES = 12
MOST_READ = 500_000
"""Steps that are read again, in all, to know what the answer would be if the sequence ended earlier."""
SHOWN = 5  # predictions of a step

Probabilities = npt.NDArray[np.floating[Any]]


def traces_of(reads: Input, x: Any) -> dict[str, npt.NDArray[Any]]:
    """Return the numbers of an input [T] by column, in the user's units; nothing where steps are tokens."""
    if not isinstance(reads, NumericInput):
        return {}
    (numbers,) = reads.each(x if isinstance(x, SequenceData) else [x])
    names = getattr(reads, "columns", None) or [f"x{column}" for column in range(numbers.shape[1])]
    return {str(name): numbers[:, column] for column, name in enumerate(names[:MOST_TRACES])}


def corpus_parts(
    reads: Input,
    looked_into: Iterable[tuple[npt.NDArray[Any], Sequence[LayerView]]],
    quantities: Sequence[str] | None,
    stride: int = 1,
) -> Iterator[CorpusPart]:
    """Yield the sequences of a corpus that have a step.

    Args:
        reads: the input, which knows the steps in words.
        looked_into: each sequence as the network reads it, and its layers with all quantities.
        quantities: those that are wanted; None for the cell's states.
        stride: how many steps the layers read as one; it goes by the first of them.
    """
    for number, (sequence, layers) in enumerate(looked_into):
        if len(sequence):
            yield CorpusPart(
                sequence=number,
                tokens=reads.step_labels(sequence)[::stride],
                texts=reads.step_texts(sequence)[::stride],
                unknown=reads.unknown_steps(sequence)[::stride],
                layers=chosen(layers, quantities),
                separator=reads.separator,
            )


def prefix_predictions(
    examples: SequenceExamples, say: Callable[[SequenceExamples], list[list[Prediction]]]
) -> tuple[list[list[Prediction]], list[Prediction]]:
    """Return what a model says at each step, as if the sequence ended there, and what it says at the end.

    Of a long sequence as many beginnings are read as cost `MOST_READ` steps, evenly spread; the others say nothing.

    Args:
        examples: of one sequence.
        say: gives the predictions of each of some examples, the most probable first.
    """
    (sequence,) = examples.inputs
    steps = len(sequence)
    stride = max(1, -(-steps * steps // (2 * MOST_READ)))
    ends = np.unique(np.append(np.arange(stride - 1, steps, stride), steps - 1))
    beginnings = SequenceExamples(Ragged.of(sequence[: end + 1] for end in ends))
    if examples.static is not None:
        beginnings.static = StaticRows(*(np.repeat(part, len(ends), axis=0) for part in examples.static))
    found = say(beginnings)
    by_step: list[list[Prediction]] = [[] for _ in range(steps)]
    for end, row in zip(ends, found, strict=True):
        by_step[end] = row
    return by_step, by_step[-1]


def at_ends(by_step: list[list[Prediction]], stride: int) -> list[list[Prediction]]:
    """Return what a model says at the end of every `stride` steps, and of the rest."""
    return [by_step[min(start + stride, len(by_step)) - 1] for start in range(0, len(by_step), stride)]


def strided_notes(stride: int) -> list[str]:
    """Return a sentence about steps that layers read as one; none where each is read alone."""
    if stride == 1:
        return []
    return [f"convolutions take {stride} steps in at once: what is shown at a step is of it and the {stride - 1} after"]


def ensemble_notes(network: nn.Module) -> list[str]:
    """Return a sentence about which network of an ensemble is looked into; none where there is one only."""
    if not isinstance(network, Ensemble):
        return []
    count = len(network.members)
    return [f"what happens inside is shown of the first of {count} networks; the answers are those of all together"]


def best(row: Probabilities, labels: Sequence[Any] | npt.NDArray[Any]) -> list[Prediction]:
    """Return the most probable labels of a step, the first first."""
    order = np.argsort(-row, kind="stable")[:SHOWN]
    return [Prediction(str(labels[index]), float(row[index])) for index in order]
