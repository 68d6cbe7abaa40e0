"""A sound that comes bit by bit has the answers of the whole file, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import LogMel, Mfcc, RawAudio
from loopcell.errors import DataError, FileFormatError, UsageError
from loopcell.layers.streaming.state import StreamState

RATE = 8000
QUICK = {"hidden_size": 5, "epochs": 1, "random_state": 1, "device": "cpu", "progress": False}


def sounds(count, longest=3000):
    drawn = np.random.default_rng(0)
    return [drawn.normal(0, 0.1, drawn.integers(longest // 2, longest)).astype(np.float32) for _ in range(count)]


def steps_of(features, x):
    return len(features(x))


@pytest.fixture(scope="module")
def models():
    """A tagger of frames, one of raw samples, a classifier, a regressor of two numbers."""
    features, X = LogMel(RATE), sounds(12)
    labels = [["a", "b"][number % 2] for number in range(12)]
    tags = [[["a", "b", "c"][step % 3] for step in range(steps_of(features, x))] for x in X]
    short, pairs = sounds(6, 200), np.arange(24.0).reshape(12, 2)
    each = [[["x", "y"][step % 2] for step in range(len(x))] for x in short]
    return {
        "tagger": (SequenceTagger(**QUICK, features=features).fit(X, tags), X[0]),
        "raw": (SequenceTagger(**QUICK, features=RawAudio(RATE)).fit(short, each), short[0]),
        "classifier": (SequenceClassifier(**QUICK, features=Mfcc(RATE), downsample=1).fit(X, labels), X[0]),
        "regressor": (SequenceRegressor(**QUICK, features=features, downsample=1).fit(X, pairs), X[0]),
    }


def whole(model, x):
    """What the model says of a file: of each frame, or of the whole."""
    if isinstance(model, SequenceRegressor):
        return model.predict([x])
    return model.predict_proba([x])[0]


def numbers(found):
    return np.array([np.atleast_1d(one.value if hasattr(one, "value") else one.probabilities) for one in found])


@pytest.mark.parametrize("name", ["tagger", "raw", "classifier", "regressor"])
def test_any_chunks_give_the_bits_of_each_other_and_the_answers_of_the_whole(models, name):
    model, x = models[name]
    expected = whole(model, x)

    @settings(max_examples=4)
    @given(st.lists(st.integers(0, 700), max_size=6))
    def check(sizes):
        one, other = model.stream(), model.stream()
        at_once = one.feed(x) + one.finish()
        found, start = [], 0
        for size in (*sizes, len(x)):
            found += other.feed(x[start : start + size])
            start += size
            if size % 2:  # put down and taken up
                state, other = other.state, model.stream()
                other.state = state
        found += other.finish()
        assert other.rows == one.rows == len(x)
        assert other.frames == one.frames == len(at_once)
        np.testing.assert_array_equal(numbers(found), numbers(at_once))

    check()
    stream = model.stream()
    told = numbers(stream.feed(x) + stream.finish())
    if name in ("tagger", "raw"):
        np.testing.assert_allclose(told, expected, atol=1e-6)
    else:
        np.testing.assert_allclose(told[-1], np.ravel(expected), rtol=1e-5)
    assert stream.seconds(1) == stream.hop / RATE


def test_a_sample_at_a_time(models):
    model, x = models["tagger"]
    one, other = model.stream(), model.stream()
    found = [one.step(sample) for sample in x[:400]]
    assert [place for place, answer in enumerate(found) if answer is not None] == [199, 279, 359]
    np.testing.assert_array_equal(numbers([answer for answer in found if answer]), numbers(other.feed(x[:400])))


def test_the_words_of_every_stream(models, tmp_path):
    model, x = models["classifier"]
    stream, file = model.stream(), tmp_path / "s.state"
    first = numbers(stream.feed(x[:900]))
    fork = stream.fork()
    stream.state.save(file)
    later = numbers(stream.feed(x[900:]) + stream.finish())
    np.testing.assert_array_equal(numbers(fork.feed(x[900:]) + fork.finish()), later)
    with model.stream(file) as again:
        np.testing.assert_array_equal(numbers(again.feed(x[900:]) + again.finish()), later)
    with pytest.raises(UsageError, match=r"this sound has ended \(finish\): reset\(\) begins another one"):
        stream.feed(x)
    stream.reset()
    np.testing.assert_array_equal(numbers(stream.feed(x[:900])), first)
    assert stream.feed(np.zeros(0)) == []


def test_what_is_no_sound_is_refused_and_nothing_has_changed(models):
    model, x = models["tagger"]
    stream = model.stream()
    stream.feed(x[:300])
    for wrong, words in [
        (np.array([0.1, np.nan]), "not a finite number|NaN"),
        (np.array(["a"]), "not|samples"),
        (np.zeros((3, 2, 2)), "is not a sound"),
    ]:
        with pytest.raises(DataError, match=words):
            stream.feed(wrong)
    assert (stream.rows, stream.frames) == (300, 2)
    both = np.stack([x[300:600]] * 2, 1)  # channels are mixed
    alone = model.stream()
    np.testing.assert_array_equal(numbers(stream.feed(both)), numbers(alone.feed(x[:600]))[2:])
    whole_numbers = (x * 32767).astype(np.int16)  # as a WAV file has them
    told = numbers(model.stream().feed(whole_numbers))
    np.testing.assert_allclose(told, numbers(model.stream().feed(x)), atol=1e-2)


@pytest.mark.parametrize(
    ("part", "value"),
    [("frames", -1), ("frames", 1.5), ("ended", 0), ("covered", 5000), ("covered", None)],
)
def test_a_hostile_state_is_refused(models, part, value):
    model, x = models["tagger"]
    stream = model.stream()
    stream.feed(x[:300])
    state = stream.state
    hostile = StreamState(**{**vars(state), "facts": {**state.facts, part: value}})
    with pytest.raises(FileFormatError, match="damaged"):
        stream.state = hostile
    other = StreamState(**{**vars(state), "tensors": {**state.tensors, "samples": state.tensors["samples"].double()}})
    with pytest.raises(FileFormatError, match="damaged"):
        stream.state = other
    assert stream.rows == 300
