"""Units that track something that has a name: every unit of a corpus scored against a label of each step.

A label is true or false (inside a speaker's name) and the score is the area under the ROC curve, or it is a number (the
position in a line) and the score is Pearson's correlation. Many units are tried, so the best is best by luck as well:
it is chosen on the first half of the corpus, and what is reported of it is its score on the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError
from loopcell.insight.state_store import StateStore

CODES = 1 << 16
"""Numbers that float16 has: a unit's values are counted by them, so that ranks need no memory for the corpus."""
UNITS = 32
"""Units that are counted in one pass: each has four times CODES counters of 4 bytes."""
HELD = 1 << 25
"""Values of float32, which has too many numbers to count, that are held in one pass: those of at least one unit."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UnitScore:
    """The scores of a unit that may track a label.

    Attributes:
        column: of the states, such as "layer1.c".
        unit: its number, from 0.
        score: on the first half of the corpus, by which units are chosen.
        held_out: the same on the second half.
        low: the unit is low where the label is true or large; the scores are those of its negative.
    """

    column: str
    unit: int
    score: float
    held_out: float
    low: bool

    def __str__(self) -> str:
        return f"{'-' if self.low else ''}{self.column}[{self.unit}]"


@dataclass(frozen=True)
class Tracking:
    """The units by how well they track a label.

    Attributes:
        measure: what a score is: "AUC", from 0.5 for chance to 1, or "r", from 0 to 1.
        units: the best on the first half first.
        steps: labelled steps of the first and of the second half.
        share: how much of each half's steps have a label that is true; None where labels are numbers.
        by_token: the score on the second half of knowing each step's token alone, and what the label was on the first
            half where that token stood: a unit above it remembers something.
    """

    measure: str
    units: Sequence[UnitScore]
    steps: tuple[int, int]
    share: tuple[float, float] | None
    by_token: float

    @property
    def best(self) -> UnitScore:
        """The unit that is chosen on the first half."""
        return self.units[0]


def track(
    store: StateStore, labels: npt.ArrayLike, *, columns: Sequence[str] | None = None, most: int = 10
) -> Tracking:
    """Score every unit against a label of each step.

    Args:
        store: the states of a corpus of N steps.
        labels: [N], bools, or numbers with nan where a step does not count; see `CorpusText.inside` and `.since`.
        columns: of states, such as ("layer1.c",); None for all.
        most: how many units are returned.

    Returns:
        The units, the best on the first half of the labelled steps first, with their scores on the second half too.
        Values are compared as they are stored.

    Raises:
        InputError: there is not a label for each step, or a half has steps of one kind alone.
    """
    given = np.asarray(labels)
    if given.shape != (len(store),) or given.dtype.kind not in "biuf":
        raise InputError(f"a bool or a number for each of {len(store):,} steps was expected, got {list(given.shape)}")
    of_kinds = given.dtype.kind == "b"
    numbers = given.astype(np.float64)
    half = _halves(numbers)
    _demand_both(numbers, half)
    score = _areas if of_kinds else _correlations
    found: list[UnitScore] = []
    for name in tuple(store.columns) if columns is None else columns:
        store.demand(name)
        with np.errstate(invalid="ignore"):  # a unit that is infinite somewhere is correlated with nothing
            first, second = score(store, name, numbers, half)
        low = first < (0.5 if of_kinds else 0)
        if of_kinds:
            first, second = np.where(low, 1 - first, first), np.where(low, 1 - second, second)
        else:
            first, second = np.where(low, -first, first), np.where(low, -second, second)
        each = zip(first.tolist(), second.tolist(), low.tolist(), strict=True)
        found += [UnitScore(name, unit, *scores) for unit, scores in enumerate(each)]
    found.sort(key=lambda unit: -unit.score)
    sizes = (int((half == 0).sum()), int((half == 1).sum()))
    share = (float(numbers[half == 0].mean()), float(numbers[half == 1].mean())) if of_kinds else None
    by_token = _by_token(store.tokens, numbers, half, of_kinds=of_kinds)
    return Tracking("AUC" if of_kinds else "r", tuple(found[:most]), sizes, share, by_token)


def _by_token(tokens: Sequence[str], numbers: Floats, half: npt.NDArray[np.int8], *, of_kinds: bool) -> float:
    """Return how well the mean label of each token on the first half tells that of the second."""
    codes = np.unique(np.array(tokens, dtype=object), return_inverse=True)[1]
    first, second = half == 0, half == 1
    counts, sums = (np.bincount(codes[first], weights, codes.max() + 1) for weights in (None, numbers[first]))
    guess = np.where(counts > 0, sums / np.maximum(counts, 1), numbers[first].mean())[codes[second]]
    if not of_kinds:
        return float(np.corrcoef(guess, numbers[second])[0, 1]) if guess.min() != guess.max() else 0.0
    return _area_of(guess, numbers[second] > 0)


def _area_of(values: npt.NDArray[np.floating[Any]], true: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of values [T] for labels [T], by the ranks of the values."""
    _, ranks, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - (sizes - 1) / 2  # equal values have the mean of their ranks
    area = middle[ranks][true].sum() - true.sum() * (true.sum() + 1) / 2
    return float(area / (true.sum() * (~true).sum()))


def _halves(numbers: Floats) -> npt.NDArray[np.int8]:
    """Return which half each step belongs to, 0 or 1; -1 for one without a label."""
    counts = np.isfinite(numbers)
    order = np.cumsum(counts)
    later = order > order[-1] // 2 if len(order) else counts
    return np.where(counts, later, -1).astype(np.int8)


def _demand_both(numbers: Floats, half: npt.NDArray[np.int8]) -> None:
    for number, name in enumerate(("first", "second")):
        mine = numbers[half == number]
        if not len(mine) or mine.min() == mine.max():
            one = "no step has a label" if not len(mine) else f"every step has the label {float(mine[0]):g}"
            raise InputError(f"{one} in the {name} half of the corpus: there is nothing to tell units by")


def _areas(store: StateStore, name: str, numbers: Floats, half: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Return the area under the ROC curve of every unit on each half, ties counted half."""
    if store.file.dtype == "float32":
        return _exact_areas(store, name, numbers, half)
    group = np.where(half < 0, -1, 2 * half + (numbers > 0)).astype(np.int64)
    areas = [_area(_counts(store, name, group, units)) for units in _blocks(store.columns[name], UNITS)]
    return np.concatenate([area[0] for area in areas]), np.concatenate([area[1] for area in areas])


def _exact_areas(store: StateStore, name: str, numbers: Floats, half: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Return the areas as `_areas`, of the values themselves; as many units at once as their values may be held."""
    sides = [(half == number, numbers[half == number] > 0) for number in range(2)]
    areas: list[list[float]] = []
    for units in _blocks(store.columns[name], max(1, HELD // len(store))):
        held = np.concatenate([np.ascontiguousarray(part.states[name][:, units].T) for part in store.parts([name])], 1)
        areas += [[_area_of(values[mine], true) for mine, true in sides] for values in held]
    first, second = np.array(areas, np.float64).reshape(-1, 2).T
    return first, second


def _blocks(units: int, size: int) -> Iterator[slice]:
    return (slice(start, min(units, start + size)) for start in range(0, units, size))


def _counts(store: StateStore, name: str, group: npt.NDArray[Any], units: slice) -> npt.NDArray[np.int32]:
    """Count the values of some units by group (half and label) and code, [units, 4, CODES]."""
    counts = np.zeros((units.stop - units.start, 4 * CODES), np.int32)
    for places in _counters(store, name, group, units):
        for unit, mine in enumerate(np.ascontiguousarray(places.T)):
            counts[unit] += np.bincount(mine, minlength=4 * CODES).astype(np.int32)
    return counts.reshape(-1, 4, CODES)


def _counters(store: StateStore, name: str, group: npt.NDArray[Any], units: slice) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the counter of each step's value, [T, units], of at least CODES steps at once where there are so many."""
    waiting: list[npt.NDArray[np.int64]] = []
    for part in store.parts([name]):
        mine = group[part.first : part.first + len(part.step)]
        counted = mine >= 0
        waiting.append(mine[counted, None] * CODES + _codes(part.states[name][counted, units]))
        if sum(map(len, waiting)) >= CODES:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _codes(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return numbers as whole numbers in the same order, from 0 to CODES - 1."""
    with np.errstate(over="ignore"):
        bits = (values.astype(np.float16) + np.float16(0)).view(np.uint16)  # -0 becomes 0
    return np.where(bits & 0x8000, ~bits, bits | 0x8000).astype(np.int64)


def _area(counts: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return the area of each unit and half: the share of pairs, one of each label, that are in order."""
    areas = []
    for false, true in ((counts[:, 0], counts[:, 1]), (counts[:, 2], counts[:, 3])):
        below = np.cumsum(false, axis=1, dtype=np.float64) - false / 2
        areas.append((true * below).sum(1) / (true.sum(1, dtype=np.float64) * false.sum(1, dtype=np.float64)))
    return areas[0], areas[1]


def _correlations(store: StateStore, name: str, numbers: Floats, half: npt.NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Return Pearson's correlation of every unit with the label on each half; 0 for a unit that never changes."""
    means, units = _means(store, name, half), store.columns[name]
    sides = [numbers[half == number] for number in range(2)]
    middles = [float(np.clip(side.mean(), side.min(), side.max())) for side in sides]
    xx, xy = np.zeros((2, units)), np.zeros((2, units))
    for number, rows, values in _labelled(store, name, half):
        x = values - means[number]
        y = numbers[rows][half[rows] == number, None] - middles[number]
        xx[number] += (x * x).sum(0)
        xy[number] += (x * y).sum(0)
    yy = np.array([[np.square(side - middle).sum()] for side, middle in zip(sides, middles, strict=True)])
    varied = xx * yy
    found = np.where(varied > 0, xy / np.sqrt(np.where(varied > 0, varied, 1)), 0)
    return found[0], found[1]


def _means(store: StateStore, name: str, half: npt.NDArray[np.int8]) -> Floats:
    """Return the mean of every unit on each half, [2, n]: of one that never changes exactly its value."""
    units = store.columns[name]
    sums, low, high = np.zeros((2, units)), np.full((2, units), np.inf), np.full((2, units), -np.inf)
    for number, _, x in _labelled(store, name, half):
        sums[number] += x.sum(0)
        low[number] = np.minimum(low[number], x.min(0, initial=np.inf))
        high[number] = np.maximum(high[number], x.max(0, initial=-np.inf))
    steps = [[max(1, int((half == number).sum()))] for number in range(2)]
    return np.asarray(np.clip(sums / np.array(steps), low, high))


def _labelled(
    store: StateStore, name: str, half: npt.NDArray[np.int8]
) -> Iterator[tuple[int, slice, npt.NDArray[np.float64]]]:
    """Yield each half's number, the rows of a part, and the values there that belong to that half, [T, n]."""
    for part in store.parts([name]):
        rows = slice(part.first, part.first + len(part.step))
        for number in range(2):
            yield number, rows, part.states[name][half[rows] == number].astype(np.float64)
