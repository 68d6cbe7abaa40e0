"""Splits leave nothing out, put nothing in twice, and follow their seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data import split_groups, split_in_time, split_random, split_stratified, stratified_folds
from loopcell.errors import DataError, UsageError

FRACTIONS = st.sampled_from([0.1, 0.25, 0.5, 0.9])


def whole(split, n: int) -> bool:
    return sorted([*split.training.tolist(), *split.held_out.tolist()]) == list(range(n))


@given(n=st.integers(10, 200), fraction=FRACTIONS, seed=st.integers(0, 9))
def test_random(n, fraction, seed):
    split = split_random(n, fraction, seed)
    assert whole(split, n)
    assert len(split.held_out) == round(n * fraction)
    assert split.held_out.tolist() == split_random(n, fraction, seed).held_out.tolist()


@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5), fraction=FRACTIONS, seed=st.integers(0, 9))
def test_stratified(sizes, fraction, seed):
    labels = [name for name, size in zip("abcde", sizes, strict=False) for _ in range(size)]
    labels = [labels[at] for at in np.random.default_rng(seed).permutation(len(labels))]
    try:
        split = split_stratified(labels, fraction, seed)
    except DataError:
        assert sum(sizes) * min(fraction, 1 - fraction) < len(sizes) + 1
        return
    assert whole(split, len(labels))
    held_out = Counter(labels[at] for at in split.held_out)
    for name, size in zip("abcde", sizes, strict=False):
        assert abs(held_out[name] - size * fraction) < 1 or (size == 1 and held_out[name] == 0)


@given(groups=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=80), fraction=FRACTIONS)
def test_groups_are_never_cut(groups, fraction):
    if len(set(groups)) < 2:
        with pytest.raises(DataError, match="cannot be split by group"):
            split_groups(groups, fraction)
        return
    split = split_groups(groups, fraction)
    assert whole(split, len(groups))
    sides = [{groups[at] for at in side} for side in split]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_groups_come_near_their_share():
    groups = [speaker for speaker in range(20) for _ in range(10)]
    for seed in range(5):
        assert len(split_groups(groups, 0.2, seed).held_out) == 40


def test_in_time():
    assert split_in_time(10, [0.6, 0.2, 0.2]) == [slice(0, 6), slice(6, 8), slice(8, 10)]
    assert split_in_time(17420, [8640, 2880, 2880]) == [slice(0, 8640), slice(8640, 11520), slice(11520, 14400)]
    assert split_in_time(7, [0.5, 0.5]) == [slice(0, 4), slice(4, 7)]
    with pytest.raises(UsageError, match="shares that add up to 1, or whole numbers of steps"):
        split_in_time(10, [0.5, 0.4])
    with pytest.raises(DataError, match="the parts need 12 steps and there are 10"):
        split_in_time(10, [6, 6])
    with pytest.raises(DataError, match="2 steps are too few"):
        split_in_time(2, [0.8, 0.1, 0.1])


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4), k=st.integers(2, 10), seed=st.integers(0, 5))
def test_folds(sizes, k, seed):
    labels = [name for name, size in zip("abcd", sizes, strict=False) for _ in range(size)]
    if len(labels) < k:
        with pytest.raises(DataError, match="too few for"):
            stratified_folds(labels, k, seed)
        return
    folds = stratified_folds(labels, k, seed)
    assert len(folds) == k
    assert all(whole(fold, len(labels)) for fold in folds)
    assert sorted(np.concatenate([fold.held_out for fold in folds]).tolist()) == list(range(len(labels)))
    for fold in folds:
        found = Counter(labels[at] for at in fold.held_out)
        assert all(abs(found[name] - size / k) < 1 for name, size in zip("abcd", sizes, strict=False))


@pytest.mark.parametrize(
    "split", [lambda f: split_random(9, f), lambda f: split_stratified("aab", f), lambda f: split_groups("ab", f)]
)
@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2])
def test_fractions_that_are_none(split, fraction):
    with pytest.raises(UsageError, match="the held-out fraction is between 0 and 1"):
        split(fraction)


def test_too_few():
    with pytest.raises(DataError, match="3 examples are too few"):
        split_random(3, 0.1)
    with pytest.raises(DataError, match="too few"):
        split_stratified("abc", 0.5)
    with pytest.raises(UsageError, match="at least 2 folds"):
        stratified_folds("aabb", 1)
