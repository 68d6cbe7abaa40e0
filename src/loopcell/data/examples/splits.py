"""Splits of examples into parts: at random, by class, by group, in time; folds. A seed decides; nothing is left out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError, UsageError

Indices = npt.NDArray[np.int64]
SEGMENTS = 5  # of a series that are held out


class Split(NamedTuple):
    """Indices of examples, int64, rising: those to train on and those held out."""

    training: Indices
    held_out: Indices


def split_random(n: int, fraction: float, seed: int = 0) -> Split:
    """Hold out a share of n examples, drawn without looking at them.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: there are too few examples for both parts to have one.
    """
    return _split(np.random.default_rng(seed).permutation(n), _share(n, fraction), n)


def split_stratified(labels: Sequence[Hashable], fraction: float, seed: int = 0) -> Split:
    """Hold out the same share of each class, within one example; classes of a single example are trained on.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: there are too few examples for both parts to have one.
    """
    _check_fraction(fraction)
    drawn = np.random.default_rng(seed)
    n, codes = len(labels), _codes(labels)
    # In the order of their classes, every 1/fraction-th example is held out: that is even over the classes too.
    order = drawn.permutation(n)
    order = order[np.argsort(codes[order], kind="stable")]
    chosen = np.diff(np.floor(np.arange(n + 1) * fraction + drawn.random())) > 0
    alone = np.bincount(codes, minlength=1)[codes[order]] == 1
    held_out = order[chosen & ~alone]
    if not len(held_out) or len(held_out) == n:
        raise DataError(f"{n} examples are too few to hold out a fraction of {fraction} by class")
    return _split(np.concatenate([held_out, np.setdiff1d(np.arange(n), held_out)]), len(held_out), n)


def split_groups(groups: Sequence[Hashable], fraction: float, seed: int = 0) -> Split:
    """Hold out whole groups (a speaker, a patient) of about a share of the examples, so that none is in both parts.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: there is one group only.
    """
    _check_fraction(fraction)
    codes = _codes(groups)
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise DataError(f"{len(groups)} examples of {len(sizes)} group cannot be split by group")
    order = np.random.default_rng(seed).permutation(len(sizes))
    total = np.cumsum(sizes[order])
    # As many groups as come nearest to the share; at least one on each side.
    count = 1 + int(np.abs(total[:-1] - fraction * len(groups)).argmin())
    held_out = np.isin(codes, order[:count])
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def split_segments(spans: npt.NDArray[np.int64], fraction: float, seed: int = 0) -> Split:
    """Hold out a share of the windows of one series, in segments, so that no row is in both parts.

    Windows that share rows with those held out are in neither part; where that would leave less than half of the
    others, there is one segment, and else there are up to five.

    Args:
        spans: the first row of each window, and the row after its last, [N, 2], both rising.
        fraction: the share of the windows.
        seed: decides which segments.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: there are too few windows for both parts to have one.
    """
    n, count = len(spans), _share(len(spans), fraction)
    held_out = _segments(n, count, SEGMENTS, seed)
    training = _apart(spans, held_out)
    if 2 * len(training) < n - count:
        held_out = _segments(n, count, 1, seed)
        training = _apart(spans, held_out)
    if not len(training):
        raise DataError(f"{n} windows of one series are too few to hold out {count} that share no row with the others")
    return Split(training, np.flatnonzero(held_out))


def _segments(n: int, count: int, segments: int, seed: int) -> npt.NDArray[np.bool_]:
    """Say which of n windows are in one of a few segments, drawn at random, with `count` windows in all, or nearly."""
    size = max(1, count // segments)
    chosen = np.random.default_rng(seed).permutation(n // size)[: max(1, count // size)]
    return np.isin(np.arange(n) // size, chosen)


def _apart(spans: npt.NDArray[np.int64], held_out: npt.NDArray[np.bool_]) -> Indices:
    """Return the windows that share no row with those held out."""
    taken = np.zeros(int(spans[:, 1].max()) + 1, np.int64)
    for first, stop in spans[held_out]:
        taken[first + 1 : stop + 1] = 1
    before = np.cumsum(taken)
    return np.flatnonzero(before[spans[:, 1]] == before[spans[:, 0]])


def split_in_time(n: int, shares: Sequence[float]) -> list[slice]:
    """Cut n steps in order into parts: `[0.6, 0.2, 0.2]` is training, validation and test.

    Args:
        n: how many steps.
        shares: shares that add up to 1, or whole numbers of steps that add up to at most n (what is left at the end
            is in no part).

    Raises:
        UsageError: they are neither.
        DataError: a part would have no step, or there are more steps asked for than there are.
    """
    if all(isinstance(share, int) for share in shares):
        sizes = [int(share) for share in shares]
        edges = np.cumsum([0, *sizes])
    elif abs(sum(shares) - 1) < 1e-9:
        edges = np.round(np.cumsum([0, *shares]) * n).astype(np.int64)
    else:
        raise UsageError(f"parts are shares that add up to 1, or whole numbers of steps, got {list(shares)}")
    if edges[-1] > n:
        raise DataError(f"the parts need {edges[-1]:,} steps and there are {n:,}")
    if not len(shares) or (np.diff(edges) < 1).any():
        raise DataError(f"{n:,} steps are too few for the parts {list(shares)}: each needs at least one")
    return [slice(int(start), int(stop)) for start, stop in pairwise(edges)]


def stratified_folds(labels: Sequence[Hashable], k: int, seed: int = 0) -> list[Split]:
    """Make k folds with equal shares of each class, within one example; each example is held out in one of them.

    Raises:
        UsageError: k is below 2.
        DataError: there are fewer examples than folds.
    """
    n = len(labels)
    if k < 2:
        raise UsageError(f"there are at least 2 folds, got {k}")
    if n < k:
        raise DataError(f"{n} examples are too few for {k} folds")
    codes = _codes(labels)
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(codes[order], kind="stable")]
    fold = np.empty(n, np.int64)
    fold[order] = np.arange(n) % k
    return [Split(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(k)]


def _codes(labels: Sequence[Hashable]) -> Indices:
    """Return each label's number, in the order in which labels first come."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise UsageError(f"the held-out fraction is between 0 and 1, got {fraction}")


def _share(n: int, fraction: float) -> int:
    _check_fraction(fraction)
    count = round(n * fraction)
    if not 0 < count < n:
        raise DataError(f"{n} examples are too few to hold out a fraction of {fraction}")
    return count


def _split(order: npt.NDArray[Any], held_out: int, n: int) -> Split:
    assert len(order) == n
    return Split(np.sort(order[held_out:]), np.sort(order[:held_out]))
