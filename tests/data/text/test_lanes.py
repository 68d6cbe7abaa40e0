"""Lanes: every next-token target exactly once, resets where documents and lanes begin, any chunk at any time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.data.text import Lanes
from loopcell.errors import InputError


@st.composite
def streams(draw):
    """Lengths of documents, empty ones included, and the shape of the lanes."""
    lengths = draw(st.lists(st.integers(0, 12), max_size=6))
    return lengths, draw(st.integers(1, 7)), draw(st.integers(1, 9)), draw(st.integers(1, 3))


def lay(lengths, batch, steps, world):
    """The lanes of every rank over tokens that are their own positions, so that a token says where it was read."""
    starts = np.cumsum([0, *lengths])[:-1] if lengths else np.empty(0, np.int64)
    return [
        Lanes(np.arange(sum(lengths)), starts, batch_size=batch, chunk=steps, rank=rank, world_size=world)
        for rank in range(world)
    ]


def documents_of(lengths):
    """The document of each token."""
    return [number for number, length in enumerate(lengths) for _ in range(length)]


@given(stream=streams())
def test_every_target_within_a_document_comes_exactly_once(stream):
    lengths = stream[0]
    document = documents_of(lengths)
    expected = [(i, i + 1) for i in range(len(document) - 1) if document[i] == document[i + 1]]
    seen = []
    ranks = lay(*stream)
    for lanes in ranks:
        for chunk in lanes:
            seen += zip(chunk.inputs[chunk.valid].tolist(), chunk.targets[chunk.valid].tolist(), strict=True)
        assert lanes.num_targets == len(expected)
        assert lanes.num_targets + lanes.num_crossing == max(0, len(document) - 1)
    assert sorted(seen) == expected


@given(stream=streams())
def test_rows_go_on_from_chunk_to_chunk_and_reset_where_documents_and_lanes_begin(stream):
    lengths = stream[0]
    document = documents_of(lengths)
    last = -1  # the last input of the lane before
    for lanes in lay(*stream):
        chunks = list(lanes)
        if not chunks:
            return
        whole = [torch.cat(tensors) for tensors in zip(*chunks, strict=True)]
        for inputs, targets, reset, valid in zip(*(tensor.T.tolist() for tensor in whole), strict=True):
            assert reset[0]
            ran = 0
            for t, (here, following) in enumerate(zip(inputs, targets, strict=True)):
                if following == 0:  # a real target is never token 0: the lane has ended, and stays ended
                    assert (here, valid[t]) == (0, False)
                    assert t == 0 or not reset[t]
                    continue
                assert t == ran
                assert (here, following) == (last + 1, last + 2)
                assert valid[t] == (document[here] == document[following])
                begins = here == 0 or document[here] != document[here - 1]
                assert reset[t] == (t == 0 or begins)
                last, ran = here, ran + 1
    assert last == len(document) - 2


@given(stream=streams())
def test_chunks_have_the_promised_shapes_on_every_rank(stream):
    _, batch, steps, _ = stream
    ranks = [list(lanes) for lanes in lay(*stream)]
    assert len({len(chunks) for chunks in ranks}) == 1
    for chunks in zip(*ranks, strict=True):
        assert len({chunk.inputs.shape for chunk in chunks}) == 1
    for chunks, lanes in zip(ranks, lay(*stream), strict=True):
        assert len(chunks) == len(lanes)
        for number, chunk in enumerate(chunks):
            assert [tensor.dtype for tensor in chunk] == [torch.int64, torch.int64, torch.bool, torch.bool]
            assert len({tensor.shape for tensor in chunk}) == 1
            t, b = chunk.inputs.shape
            assert b == batch
            assert t == steps or (1 <= t < steps and number == len(chunks) - 1)


@given(stream=streams(), data=st.data())
def test_random_access_is_iteration(stream, data):
    lanes = lay(*stream)[-1]
    chunks = list(lanes)
    start = data.draw(st.integers(0, len(lanes)))
    assert len(list(lanes.iterate(start))) == len(chunks) - start
    for index, resumed in zip(range(start, len(lanes)), lanes.iterate(start), strict=True):
        for tensor, again, direct in zip(chunks[index], resumed, lanes.chunk(index), strict=True):
            assert torch.equal(tensor, again)
            assert torch.equal(tensor, direct)


def test_by_hand():
    tokens = np.array([10, 11, 12, 20, 21, 22, 23], dtype=np.uint8)  # documents 10.. and 20..
    lanes = Lanes(tokens, np.array([0, 3]), batch_size=2, chunk=2)
    first, second = lanes
    assert first.inputs.tolist() == [[10, 20], [11, 21]]
    assert first.targets.tolist() == [[11, 21], [12, 22]]
    assert first.reset.tolist() == [[True, True], [False, False]]
    assert first.valid.all()
    assert second.inputs.tolist() == [[12, 22]]
    assert second.targets.tolist() == [[20, 23]]
    assert second.valid.tolist() == [[False, True]]  # 12 does not predict the other document's 20
    assert second.reset.tolist() == [[False, False]]
    assert (lanes.num_targets, lanes.num_crossing) == (5, 1)


def test_a_batch_larger_than_the_stream():
    (chunk,) = Lanes(np.array([1, 2, 3]), np.array([0]), batch_size=5, chunk=4)
    assert chunk.inputs.shape == (1, 5)
    assert sorted(chunk.targets[chunk.valid].tolist()) == [2, 3]
    assert chunk.reset.all()


@pytest.mark.parametrize("tokens", [[], [7]])
def test_a_stream_without_a_next_token_has_no_chunk(tokens):
    lanes = Lanes(np.array(tokens, dtype=np.uint8), np.zeros(1, np.int64), batch_size=2, chunk=3)
    assert (len(lanes), list(lanes), lanes.num_targets) == (0, [], 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size is at least 1, got 0"),
        ({"chunk": 0}, "chunk is at least 1, got 0"),
        ({"world_size": 0}, "world_size is at least 1, got 0"),
        ({"rank": 1}, r"rank is 0 to 0 \(world_size 1\), got 1"),
        ({"tokens": np.zeros((2, 2), np.int64)}, "tokens are whole numbers in one dimension"),
        ({"tokens": np.zeros(2)}, "tokens are whole numbers in one dimension, got float64"),
        ({"document_starts": np.array([1])}, "document starts begin at 0"),
        ({"document_starts": np.array([0, 5])}, "none is beyond the 4 tokens"),
        ({"document_starts": np.array([0, 2, 1])}, "do not fall"),
        ({"document_starts": np.array([0.0])}, "document starts are whole numbers"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    arguments = {"tokens": np.arange(4), "document_starts": np.array([0]), "batch_size": 1, "chunk": 2}
    with pytest.raises(InputError, match=message):
        Lanes(**(arguments | changes))


@pytest.mark.parametrize("index", [-1, 2])
def test_there_are_only_the_chunks_that_there_are(index):
    lanes = Lanes(np.arange(5), np.array([0]), batch_size=1, chunk=2)
    with pytest.raises(InputError, match=f"there is no chunk {index}: these lanes have 2"):
        lanes.chunk(index)
    with pytest.raises(InputError, match="a pass starts at a chunk from 0 to 2"):
        lanes.iterate(index * 3)
