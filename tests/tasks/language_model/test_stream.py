"""Streams of a language model: what comes next, and how surprising what came was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loopcell import LanguageModel
from loopcell.errors import FileFormatError, InputError, UsageError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

TEXT = "the cat sat on the mat. the dog ate the cat.\n" * 60
QUICK = {"hidden_size": 8, "num_layers": 1, "epochs": 1, "device": "cpu", "random_state": 1}


@pytest.fixture(scope="module")
def model():
    return LanguageModel(**QUICK).fit(TEXT)


@pytest.mark.parametrize("settings", [{}, {"cell": "lstm", "num_layers": 2, "tied": True}, {"tokens": "byte"}])
def test_token_by_token_is_what_it_is_at_once_and_a_stop_changes_no_bit(settings, tmp_path):
    model = LanguageModel(**{**QUICK, **settings}).fit(TEXT)
    text = "the dog sat on the cat."
    tokens = model.vocabulary_.encode(text).tolist()
    with model.stream() as stream:
        found = [stream.step(token) for token in tokens[:9]]
        stream.save(tmp_path / "state")
        found += [stream.step(token) for token in tokens[9:]]
    for at in (1, 9, 10, len(tokens)):
        begun = model.vocabulary_.decode(tokens[:at])
        np.testing.assert_allclose(found[at - 1].probabilities, model.predict_proba([begun])[0], rtol=1e-5, atol=1e-7)
    assert found[0].bits == 0.0
    for before, now, token in zip(found, found[1:], tokens[1:], strict=False):
        assert now.bits == pytest.approx(-math.log2(before.probabilities[token]), rel=1e-6)
    model.save(tmp_path / "model")
    with LanguageModel.load(tmp_path / "model").stream(tmp_path / "state") as again:
        for one, other in zip((again.step(token) for token in tokens[9:]), found[9:], strict=True):
            assert (one.probabilities == other.probabilities).all()
            assert one.bits == other.bits


def test_texts_of_any_length_add_up_to_the_score(model):
    stream = model.stream()
    found = [stream.step(piece) for piece in ("t", "he cat", "", " ate the", " zebra.")]
    assert [one.tokens for one in found] == [1, 6, 0, 8, 7]
    whole = "the cat ate the zebra."
    targets = len(whole) - 1
    assert sum(one.bits for one in found) == pytest.approx(-model.score(whole) * targets, rel=1e-4)
    assert (found[2].probabilities == found[1].probabilities).all()
    record = stream.record(found[-1])
    best = np.argsort(-found[-1].probabilities, kind="stable")[:3]
    assert list(record["next"]) == [model.vocabulary_.decode([int(token)]) for token in best]
    assert stream.flat(found[-1])[:2] == [7, found[-1].bits]


def test_what_is_no_token_and_no_state(model, tmp_path):
    stream = model.stream()
    with pytest.raises(InputError, match="begins with an empty text"):
        stream.step("")
    count = len(model.vocabulary_)
    for row in (count, -1, True, 1.5, None, ["a"]):
        with pytest.raises(InputError, match="the stream row 1: a text was expected, or the number of a token"):
            stream.step(row)
    stream.state = model.stream().state  # one of nothing
    stream.step("the")
    state = stream.state
    for name in state.tensors:
        tensors = {**state.tensors, name: state.tensors[name][..., :1]}
        type(state)(**{**vars(state), "tensors": tensors}).save(tmp_path / "state")
        with pytest.raises(FileFormatError, match="does not describe a stream"):
            model.stream(tmp_path / "state")
    stream.save(tmp_path / "state")
    with pytest.raises(UsageError, match="is the state of another LanguageModel"):
        LanguageModel(**{**QUICK, "random_state": 2}).fit(TEXT).stream(tmp_path / "state")
