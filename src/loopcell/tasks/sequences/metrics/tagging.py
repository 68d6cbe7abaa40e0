"""Metrics of labels at every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.tasks.core.spans import are_entities, entities, overlap_f1, segments, span_f1
from loopcell.tasks.sequences.metrics.classification import class_metrics


def tag_metrics(
    true: Sequence[Sequence[Any]], given: Sequence[Iterable[Any]], labels: npt.NDArray[Any]
) -> dict[str, float]:
    """Measure accuracy and macro-F1 per step, and F1 of entities or segments, exact and by half of their steps.

    Args:
        true: labels of each sequence; a step whose label is None is left out, and ends a segment.
        given: the model's, as long.
        labels: all that the model knows.
    """
    steps = [list(zip(a, b, strict=True)) for a, b in zip(true, given, strict=True)]
    pairs = [(t, g) for sequence in steps for t, g in sequence if t is not None]
    numbers = {label: number for number, label in enumerate(labels.tolist())}
    found = class_metrics(
        np.array([numbers.get(t, -1) for t, _ in pairs], dtype=np.int64),
        np.array([numbers[g] for _, g in pairs], dtype=np.int64),
    )
    entity = are_entities([*numbers, *(t for t, _ in pairs)])
    spans, name = (entities, "entity F1") if entity else (segments, "segment F1")
    wanted, written = ([spans(part) for part in _known(steps, which)] for which in (0, 1))
    found[name] = span_f1(wanted, written)
    if not entity:  # where a segment ends is often a matter of opinion; where an entity ends is not
        found["segment F1@50"] = overlap_f1(wanted, written)
    return found


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
