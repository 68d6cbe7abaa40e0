"""Labels of steps as spans: entities where labels say B-, I- and O, else segments of one label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_ENTITY = re.compile(r"O|[BIES]-.+")
BACKGROUND = ("O", 0, False)


class Span(NamedTuple):
    """Steps `start:stop` with one label."""

    start: int
    stop: int
    label: Any


def are_entities(labels: Iterable[Any]) -> bool:
    """Say whether labels are of the form B-PER, I-PER, O (or with E- and S-)."""
    return all(isinstance(label, str) and _ENTITY.fullmatch(label) for label in labels)


def entities(labels: Sequence[str]) -> set[Span]:
    """Return the entities of a sequence; one begins at B-, at S-, where the type changes, and after O or E-."""
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


def segments(labels: Sequence[Any]) -> set[Span]:
    """Return the longest segments of one label, but for those of a background (O, 0, False)."""
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


def overlap_f1(true: Sequence[set[Span]], given: Sequence[set[Span]], share: float = 0.5) -> float:
    """F1 of spans that overlap: the steps in common are at least a share of the steps in either.

    Each span serves once, the largest overlap first (F1@50 of Lea et al., 2017, "Temporal convolutional networks for
    action segmentation and detection"); 1 where there are none on both sides.
    """
    right = sum(_matches(a, b, share) for a, b in zip(true, given, strict=True))
    total = sum(len(a) + len(b) for a, b in zip(true, given, strict=True))
    return 2 * right / total if total else 1.0


def _matches(true: set[Span], given: set[Span], share: float) -> int:
    found = [(_overlap(a, b), a, b) for a, b in _touching(sorted(true, key=_start), sorted(given, key=_start))]
    left_true, left_given = set(true), set(given)
    for overlap, a, b in sorted(found, key=lambda pair: -pair[0]):
        if overlap >= share and a in left_true and b in left_given:
            left_true.remove(a)
            left_given.remove(b)
    return len(true) - len(left_true)


def _touching(true: list[Span], given: list[Span]) -> Iterator[tuple[Span, Span]]:
    """Pairs of one label with steps in common; the spans of a side are in order and do not overlap."""
    at, other = 0, 0
    while at < len(true) and other < len(given):
        a, b = true[at], given[other]
        if a.label == b.label and max(a.start, b.start) < min(a.stop, b.stop):
            yield a, b
        if a.stop <= b.stop:
            at += 1
        else:
            other += 1


def _start(span: Span) -> int:
    return span.start


def _overlap(a: Span, b: Span) -> float:
    """Return steps in both over steps in either."""
    both = min(a.stop, b.stop) - max(a.start, b.start)
    return both / (a.stop - a.start + b.stop - b.start - both)
