"""Batches by length: every example once, deterministic, little padding, bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data import Batches
from loopcell.errors import InputError

LENGTHS = st.lists(st.integers(0, 200), max_size=60)
SIZES = st.integers(1, 9)


@given(lengths=LENGTHS, size=SIZES, seed=st.integers(0, 5), number=st.integers(0, 3), shuffle=st.booleans())
def test_every_example_once_an_epoch(lengths, size, seed, number, shuffle):
    batches = Batches(np.array(lengths, np.int64), batch_size=size, seed=seed, shuffle=shuffle)
    epoch = batches.epoch(number)
    assert len(epoch) == len(batches) == -(-len(lengths) // size)
    assert sorted(np.concatenate(epoch).tolist() if epoch else []) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in epoch)


@given(lengths=LENGTHS, size=SIZES, most=st.integers(1, 400), number=st.integers(0, 3))
def test_a_batch_is_bounded_in_steps_and_their_number_is_fixed(lengths, size, most, number):
    batches = Batches(np.array(lengths, np.int64), batch_size=size, max_steps=most)
    epoch = batches.epoch(number)
    assert len(epoch) == len(batches) == len(batches.epoch(0))
    for batch in epoch:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= most
    assert sorted(index for batch in epoch for index in batch) == list(range(len(lengths)))


def test_an_epoch_depends_on_seed_and_number_alone():
    lengths = np.random.default_rng(0).integers(1, 100, 500)

    def order(seed: int, number: int) -> list[list[int]]:
        return [batch.tolist() for batch in Batches(lengths, batch_size=16, seed=seed).epoch(number)]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    # Who is in a batch with whom changes too, not the order of the batches alone.
    assert {frozenset(batch) for batch in order(1, 2)} != {frozenset(batch) for batch in order(1, 3)}


def test_padding_is_what_it_says_and_less_than_without_buckets():
    lengths = np.random.default_rng(1).integers(1, 300, 2000)
    batches = Batches(lengths, batch_size=32)
    steps = sum(int(lengths[batch].max()) * len(batch) for batch in batches.epoch(0))
    assert batches.padding_share(0) == pytest.approx(1 - lengths.sum() / steps)
    order = np.random.default_rng(2).permutation(2000)
    mixed = sum(int(lengths[order[at : at + 32]].max()) * len(order[at : at + 32]) for at in range(0, 2000, 32))
    assert 1 - lengths.sum() / mixed > 0.4
    assert batches.padding_share(0) < 0.1


def test_unshuffled_batches_go_from_long_to_short():
    lengths = np.array([3, 9, 1, 9, 5])
    assert [batch.tolist() for batch in Batches(lengths, batch_size=2, shuffle=False).epoch(7)] == [[1, 3], [4, 0], [2]]


def test_nothing_and_nonsense():
    assert Batches([], batch_size=3).epoch(0) == []
    assert Batches([], batch_size=3).padding_share() == 0
    assert Batches([0, 0], batch_size=2).padding_share() == 0
    for lengths in ([1.5], [[1]], [-1]):
        with pytest.raises(InputError, match="lengths are whole numbers"):
            Batches(lengths, batch_size=1)
    for sizes in ({"batch_size": 0}, {"batch_size": 1, "max_steps": 0}):
        with pytest.raises(InputError, match="are at least 1"):
            Batches([1], **sizes)
