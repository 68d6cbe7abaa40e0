"""The places of a corpus where a pattern of units lights up: one pass over the stored states, the best first.

A place is a run of steps, as long as it gets, at which most of the pattern's units are on. So the name of another
speaker is found though it is longer. A place's score is the mean over the units of the share of its steps at which the
unit is on; of a pattern that is bounded, also of whether the unit is off at the step before and at the step after.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError
from loopcell.insight.pattern import Pattern
from loopcell.insight.state_file import StatesPart
from loopcell.insight.state_store import StateStore

MOST = 20
SHARE = 0.75
CONTEXT = 24
"""Steps that are shown before a match and after it."""
LONGEST = 64
"""Steps of a match that are shown."""

Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Match:
    """A place of a corpus where a pattern lights up, with what stands around it.

    `str` counts sequences from 1, as the rows of a file are counted, and steps from 0, as intervals are.

    Attributes:
        sequence: which sequence it is in, from 0.
        start: its first step there.
        end: the step after its last one.
        score: from 0 to 1.
        first: the step of the first of `tokens`.
        tokens: the steps around it and in it, in words.
        texts: the characters that are whole with each of them.
        values: of the pattern's units at them, [T, units].
    """

    sequence: int
    start: int
    end: int
    score: float
    first: int
    tokens: Sequence[str]
    texts: Sequence[str]
    values: npt.NDArray[np.floating[Any]]

    def __str__(self) -> str:
        return f"sequence {self.sequence + 1:,}, step {self.start:,}"

    def parts(self, separator: str = "") -> tuple[str, str, str]:
        """Return the text before the match, of it, and after it; a character of which a step is in it belongs to it."""
        start, end = self.start - self.first, min(self.end - self.first, len(self.texts))
        while start and not self.texts[start - 1]:
            start -= 1
        while end < len(self.texts) and not self.texts[end - 1]:
            end += 1
        before, inside, after = self.texts[:start], self.texts[start:end], self.texts[end:]
        return separator.join(before), separator.join(inside), separator.join(after)


@dataclass(frozen=True, eq=False)
class Matches:
    """Places where a pattern lights up.

    Attributes:
        pattern: what was looked for.
        found: the best of them, the best first.
        count: how many runs of steps there are in all, good or not.
        steps: how many steps were looked through.
        separator: what stands between the texts of two steps.
    """

    pattern: Pattern
    found: Sequence[Match]
    count: int
    steps: int
    separator: str = ""

    def moved(self, steps: int) -> Matches:
        """Return the same with the pattern's interval moved, as the steps of its inspection have other numbers."""
        interval = self.pattern.interval
        if interval is None:
            return self
        return replace(self, pattern=replace(self.pattern, interval=(interval[0] + steps, interval[1] + steps)))

    def __repr__(self) -> str:
        return f"Matches({len(self.found)} of {self.count:,} places in {self.steps:,} steps: {self.pattern})"


def match(store: StateStore, pattern: Pattern, *, most: int = MOST, share: float = SHARE) -> Matches:
    """Find the places of a corpus where a pattern's units are on together.

    Args:
        store: the states of the corpus.
        pattern: the units and their thresholds.
        most: how many places are returned.
        share: at each step of a place at least this share of the units is on.

    Returns:
        The places with the best score; of equal ones those first whose length is nearest to the pattern's interval (the
        longest, where it has none), then those that come first.

    Raises:
        InputError: the store has no such column or unit, or `share` is not above 0 and at most 1.
        FileFormatError: the store's file is damaged.
    """
    if not 0 < share <= 1 or most < 1:
        raise InputError(f"a share above 0 and at most 1 and at least one place were expected, got {share} and {most}")
    _demand_units(store, pattern)
    runs = _OpenRuns(len(pattern.conditions), math.ceil(share * len(pattern.conditions)))
    best, count = _Ranked.none(), 0
    for part in store.parts(pattern.columns):
        closed = runs.feed(_on(part, pattern), part.step == 0, part.first)
        count += len(closed.start)
        best = best.joined(closed.ranked(pattern), most)
    closed = runs.finish(len(store))
    best = best.joined(closed.ranked(pattern), most)
    found = [_match(store, pattern, *row) for row in best.rows()]
    return Matches(pattern, found, count + len(closed.start), len(store), store.file.header.separator)


def _demand_units(store: StateStore, pattern: Pattern) -> None:
    for condition in pattern.conditions:
        store.demand(condition.column)
        units = store.columns[condition.column]
        if condition.unit >= units:
            raise InputError(f"{condition.column} has no unit {condition.unit}: it has {units}, counted from 0")


def _on(part: StatesPart, pattern: Pattern) -> Bools:
    """Return which of the pattern's units are on at each step, [T, units], in the store's own precision."""
    return np.stack(
        [
            _side(part.states[each.column][:, each.unit], each.threshold, above=each.above)
            for each in pattern.conditions
        ],
        axis=1,
    )


def _side(values: npt.NDArray[Any], threshold: float, *, above: bool) -> Bools:
    with np.errstate(over="ignore"):  # infinite is beyond every state, as the threshold is
        limit = values.dtype.type(threshold)
    return np.asarray(values >= limit if above else values < limit)


class _Ranked(NamedTuple):
    """Places in order: rows of the corpus, scores, and how far each length is from the one wanted."""

    start: Rows
    end: Rows
    score: npt.NDArray[np.float64]
    off: Rows

    @classmethod
    def none(cls) -> _Ranked:
        empty = np.empty(0, np.int64)
        return cls(empty, empty, np.empty(0), empty)

    def joined(self, other: _Ranked, most: int) -> _Ranked:
        both = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        order = np.lexsort((both[0], both[3], -both[2]))[:most]
        return _Ranked(*(values[order] for values in both))

    def rows(self) -> Iterator[tuple[int, int, float]]:
        for start, end, score in zip(self.start, self.end, self.score, strict=True):
            yield int(start), int(end), float(score)


class _Closed(NamedTuple):
    """Runs that have ended: rows, how often each unit was on, and whether it was on before and after."""

    start: Rows
    end: Rows
    on: Rows
    before: Bools
    after: Bools

    def ranked(self, pattern: Pattern) -> _Ranked:
        length = self.end - self.start
        share = self.on / length[:, None]
        score = (share + ~self.before + ~self.after).mean(1) / 3 if pattern.bounded else share.mean(1)
        start, end = pattern.interval or (0, 0)
        # Of a pattern that was written there is no length to come near to: the longest first.
        off = -length if pattern.interval is None else np.abs(length - (end - start))
        return _Ranked(self.start, self.end, score, off)


@dataclass
class _OpenRuns:
    """The runs of steps at which enough units are on, over parts of a corpus that come one after the other.

    Attributes:
        units: how many there are.
        need: how many have to be on.
        last: which were on at the last step of the part before.
        open: the run that has not ended: its first row, how often each unit was on, which were on before it.
    """

    units: int
    need: int
    last: Bools = field(init=False)
    open: tuple[int, Rows, Bools] | None = None

    def __post_init__(self) -> None:
        self.last = np.zeros(self.units, np.bool_)

    def feed(self, on: Bools, new: Bools, first: int) -> _Closed:
        """Take the next steps, and return the runs that end before or within them.

        Args:
            on: which units are on, [T, units].
            new: where a sequence begins, [T].
            first: the row of the first step.
        """
        active = on.sum(1) >= self.need
        carried = np.concatenate([[self.open is not None], active[:-1]])
        starts = np.flatnonzero(active & (new | ~carried))
        ends = np.flatnonzero(carried & (new | ~active))
        sums = np.concatenate([np.zeros((1, self.units), np.int64), on.cumsum(0)])
        before = np.concatenate([self.last[None], on])[starts] & ~new[starts, None]
        rows, bases = first + starts, sums[starts]
        if self.open is not None:
            row, so_far, on_before = self.open
            rows = np.concatenate([[row], rows])
            bases, before = np.concatenate([-so_far[None], bases]), np.concatenate([on_before[None], before])
        done = len(ends)
        self.open = (int(rows[done]), sums[-1] - bases[done], before[done]) if len(rows) > done else None
        self.last = on[-1] if len(on) else self.last
        return _Closed(rows[:done], first + ends, sums[ends] - bases[:done], before[:done], on[ends] & ~new[ends, None])

    def finish(self, rows: int) -> _Closed:
        """Return the run that lasts to the end of the corpus, if there is one."""
        starts, sums, before = (np.empty((0, *shape), np.int64) for shape in ((), (self.units,), (self.units,)))
        if self.open is not None:
            starts, sums, before = (np.array([part]) for part in self.open)
        nothing = np.zeros((len(starts), self.units), np.bool_)
        return _Closed(starts, np.full(len(starts), rows), sums, before.astype(np.bool_), nothing)


def _match(store: StateStore, pattern: Pattern, start: int, end: int, score: float) -> Match:
    """Return a place with what stands around it in its sequence."""
    at = int(store.step[start])
    low = start - min(at, CONTEXT)
    high = min(len(store), min(end, start + LONGEST) + CONTEXT)
    same = store.sequence[low:high] == store.sequence[start]
    high = low + int(same.sum())
    columns = {name: store.rows(name, low, high) for name in pattern.columns}
    values = np.stack([columns[each.column][:, each.unit] for each in pattern.conditions], axis=1)
    tokens, texts = store.tokens[low:high], store.texts[low:high]
    return Match(int(store.sequence[start]), at, at + end - start, score, at - (start - low), tokens, texts, values)
