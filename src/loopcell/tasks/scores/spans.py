"""Labels of steps as spans: entities where labels say B-, I- and O, else stretches of one label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_ENTITY = re.compile(r"O|[BIES]-.+")
BACKGROUND = ("O", 0, False)


class Span(NamedTuple):
    """Steps `start:stop` with one label."""

    start: int
    stop: int
    label: Any


def are_entities(labels: Iterable[Any]) -> bool:
    """Whether labels are of the form B-PER, I-PER, O (or with E- and S-)."""
    return all(isinstance(label, str) and _ENTITY.fullmatch(label) for label in labels)


def entities(labels: Sequence[str]) -> set[Span]:
    """The entities of a sequence; one begins at B-, at S-, where the type changes, and after O or E-."""
    found: set[Span] = set()
    start, before = 0, "O"
    for at, label in enumerate([*labels, "O"]):
        begins = label[:1] in "BS" or label[2:] != before[2:] or before[:1] in "OES"
        if before != "O" and (begins or label == "O"):
            found.add(Span(start, at, before[2:]))
        if label != "O" and begins:
            start = at
        before = label
    return found


def stretches(labels: Sequence[Any]) -> set[Span]:
    """The longest stretches of one label, but for those of a background (O, 0, False)."""
    found: set[Span] = set()
    start = 0
    for at in range(1, len(labels) + 1):
        if at == len(labels) or labels[at] != labels[start]:
            if labels[start] not in BACKGROUND:
                found.add(Span(start, at, labels[start]))
            start = at
    return found


def span_f1(true: Sequence[set[Span]], given: Sequence[set[Span]]) -> float:
    """F1 of spans that agree in start, stop and label, over all sequences; 1 where there are none on both sides."""
    right = sum(len(a & b) for a, b in zip(true, given, strict=True))
    total = sum(len(a) + len(b) for a, b in zip(true, given, strict=True))
    return 2 * right / total if total else 1.0
