"""Metrics of labels at every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.core.spans import are_entities, entities, overlap_f1, segments, span_f1
from loopcell.tasks.sequences.metrics.classification import LEAST, Numbers, class_metrics


def tag_metrics(
    true: Sequence[Sequence[Any]], given: Sequence[Iterable[Any]], labels: npt.NDArray[Any]
) -> dict[str, float]:
    """Measure accuracy and macro-F1 per step, and F1 of entities or segments, exact and by half of their steps.

    Args:
        true: labels of each sequence; a step whose label is None is left out, and ends a segment.
        given: the model's, as long.
        labels: all that the model knows.
    """
    steps = _steps(true, given)
    found = class_metrics(*_numbers(steps, labels))
    entity = are_entities([*labels.tolist(), *(t for sequence in steps for t, _ in sequence if t is not None)])
    spans, name = (entities, "entity F1") if entity else (segments, "segment F1")
    wanted, written = ([spans(part) for part in _known(steps, which)] for which in (0, 1))
    found[name] = span_f1(wanted, written)
    if not entity:  # where a segment ends is often a matter of opinion; where an entity ends is not
        found["segment F1@50"] = overlap_f1(wanted, written)
    return found


def step_set_metrics(true: npt.NDArray[Any], likely: npt.NDArray[Any]) -> dict[str, float]:
    """Measure the negative log-likelihood of a step in nats, micro- and macro-F1 over labels, and steps all right.

    Args:
        true: zeros and ones [S, K]; `IGNORED` of what is not known, which does not count.
        likely: of each label being present, [S, K].
    """
    known = true != IGNORED
    steps = known.any(1)
    present, given = true == 1, (likely > 0.5) & known
    hits, total = (present & given).sum(0), present.sum(0) + given.sum(0)
    by_label = 2 * hits / np.maximum(total, 1)
    return {
        "NLL/step": float(np.nansum(step_losses(true, likely)) / max(1, steps.sum())),
        "micro-F1": float(2 * hits.sum() / max(1, total.sum())),
        "macro-F1": float(by_label.mean()),
        "all right": float(((present == given) | ~known)[steps].all(1).mean()) if steps.any() else float("nan"),
    }


def step_losses(true: npt.NDArray[Any], likely: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the negative log-likelihood of the labels of each step that are known, [S]; NaN where none is."""
    known = true != IGNORED
    of_true = np.where(true == 1, likely, 1 - likely)
    losses = np.where(known, -np.log(np.maximum(of_true, LEAST)), 0.0).sum(1)
    return np.where(known.any(1), losses, np.nan)


def steps_right(true: Sequence[Sequence[Any]], given: Sequence[Iterable[Any]]) -> npt.NDArray[np.float64]:
    """Return whether the label of each step is right, [S], all sequences one after the other; NaN where it is None."""
    pairs = [pair for sequence in _steps(true, given) for pair in sequence]
    return np.array([np.nan if label is None else float(label == said) for label, said in pairs])


def tag_confusion(
    true: Sequence[Sequence[Any]], given: Sequence[Iterable[Any]], labels: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Count how often each true label (row) was given as each label (column), [K, K]; arguments as `tag_metrics`."""
    wanted, written = _numbers(_steps(true, given), labels)
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (wanted[wanted >= 0], written[wanted >= 0]), 1)
    return counts


def _steps(true: Sequence[Sequence[Any]], given: Sequence[Iterable[Any]]) -> list[list[tuple[Any, Any]]]:
    return [list(zip(a, b, strict=True)) for a, b in zip(true, given, strict=True)]


def _numbers(steps: Sequence[Sequence[tuple[Any, Any]]], labels: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    """Return the numbers of the labels of all steps that are known, true and given; -1 of one the model cannot know."""
    pairs = [(t, g) for sequence in steps for t, g in sequence if t is not None]
    numbers = {label: number for number, label in enumerate(labels.tolist())}
    true = np.array([numbers.get(t, -1) for t, _ in pairs], dtype=np.int64)
    return true, np.array([numbers[g] for _, g in pairs], dtype=np.int64)


def _known(sequences: Sequence[Sequence[tuple[Any, Any]]], which: int) -> list[list[Any]]:
    """Return the sequences of one side, cut wherever the true label is not known."""
    parts: list[list[Any]] = []
    for sequence in sequences:
        parts.append([])
        for t, g in sequence:
            if t is None:
                parts.append([])
            else:
                parts[-1].append((t, g)[which])
    return parts
