"""The running answer of a classifier or regressor: after the last step it is that to the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import SequenceClassifier, SequenceRegressor
from loopcell.data import LogMel
from loopcell.errors import DataError, UsageError
from loopcell.tasks.sequences.linear import summaries
from loopcell.tasks.sequences.running import _figures, _seen

QUICK = {"hidden_size": 5, "epochs": 1, "random_state": 1, "device": "cpu", "progress": False, "downsample": 1}
LABELS = ["a", "b"] * 12


def arrays(count=24, steps=15, seed=0):
    drawn = np.random.default_rng(seed)
    return [drawn.normal(size=(steps, 3)) for _ in range(count)]


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "max-mean"])
@pytest.mark.parametrize("summed", [True, False])
def test_every_prefix_has_its_answer(pooling, summed):
    model = SequenceClassifier(**QUICK, pooling=pooling, summaries=summed).fit(arrays(), LABELS)
    if summed:
        model.network_.beside.share.fill_(0.5)
    (x,) = arrays(1, seed=1)
    told = model.stream().feed(x)
    for step in (1, 2, 7, 15):
        expected = model.predict_proba([x[:step]])[0]
        np.testing.assert_allclose(told[step - 1].probabilities, expected, rtol=1e-4, atol=1e-6)
        assert told[step - 1].label == model.predict([x[:step]])[0]


def test_a_regressor_of_one_and_of_several_numbers():
    X = arrays()
    (x,) = arrays(1, seed=1)
    one = SequenceRegressor(**QUICK).fit(X, np.arange(24.0))
    assert one.stream().feed(x)[-1].value == pytest.approx(float(one.predict([x])[0]), rel=1e-5)
    two = SequenceRegressor(**QUICK).fit(X, np.arange(48.0).reshape(24, 2))
    stream = two.stream()
    last = stream.feed(x)[-1]
    np.testing.assert_allclose(last.value, two.predict([x])[0], rtol=1e-5)
    assert stream.record(last) == {"values": last.value.tolist()}
    assert (stream.fields, stream.flat(last)) == (("value_1", "value_2"), last.value.tolist())


def test_several_labels_and_tokens():
    model = SequenceClassifier(**{**QUICK, "downsample": "auto"}).fit(
        [["good", "day"], ["bad", "night"]] * 12, [["a"], ["a", "b"]] * 12
    )
    stream = model.stream()
    told = stream.feed(["bad", "night"])
    np.testing.assert_allclose(told[-1].probabilities, model.predict_proba([["bad", "night"]])[0], rtol=1e-5)
    assert isinstance(told[-1].label, list)
    with pytest.raises(DataError):
        stream.feed([3, None])
    assert stream.rows == 2


def test_the_words_of_every_stream(tmp_path):
    model = SequenceClassifier(**QUICK, pooling="max-mean").fit(arrays(), LABELS)
    (x,) = arrays(1, seed=1)
    stream, file = model.stream(), tmp_path / "s.state"
    whole = [one.probabilities for one in stream.fork().feed(x)]
    stream.feed(x[:6])
    fork = stream.fork()
    stream.save(file)
    with model.stream(file) as again:
        found = [one.probabilities for one in again.feed(x[6:])]
    np.testing.assert_array_equal(found, whole[6:])
    np.testing.assert_array_equal([one.probabilities for one in fork.feed(x[6:])], whole[6:])
    stream.reset()
    assert stream.rows == 0
    np.testing.assert_array_equal(stream.step(x[0]).probabilities, whole[0])
    with pytest.raises(UsageError, match="another SequenceClassifier"):
        SequenceClassifier(**{**QUICK, "random_state": 2}).fit(arrays(), LABELS).stream(file)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"bidirectional": True}, "this classifier reads both ways: its answers depend on steps that have not come"),
        ({"pooling": "attention"}, "pools with attention, whose weights depend on steps that have not come"),
        ({"downsample": 2}, "makes one step of 2 by convolutions, which see steps that have not come"),
    ],
)
def test_what_needs_the_rest_is_refused(settings, reason):
    model = SequenceClassifier(**{**QUICK, **settings}).fit(arrays(), LABELS)
    with pytest.raises(UsageError, match=reason):
        model.stream()


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_an_ensemble_answers_with_the_mean_of_its_members(kind, tmp_path):
    y = LABELS if kind is SequenceClassifier else np.arange(24.0)
    model, x = kind(**QUICK, ensemble=2).fit(arrays(), y), arrays()[0]
    whole = getattr(model, "predict_proba", model.predict)([x])[0]
    with model.stream(tmp_path / "s") as stream:
        stream.feed(x[:3])
    with model.stream(tmp_path / "s") as stream:
        last = stream.feed(x[3:])[-1]
    np.testing.assert_allclose(last.probabilities if kind is SequenceClassifier else last.value, whole, rtol=1e-5)


def test_an_ensemble_of_sounds_answers_chunk_by_chunk():
    sounds = [np.random.default_rng(at).normal(0, 0.1, 1300).astype(np.float32) for at in range(8)]
    model = SequenceClassifier(**{**QUICK, "features": LogMel(8000)}, ensemble=2).fit(sounds, ["a", "b"] * 4)
    stream = model.stream()
    found = [*stream.feed(sounds[0][:500]), *stream.feed(sounds[0][500:])]
    state = stream.state
    found += stream.finish()
    np.testing.assert_allclose(found[-1].probabilities, model.predict_proba(sounds[:1])[0], atol=1e-5)
    again = model.stream(state).finish()
    assert np.array_equal(again[0].probabilities, found[-1].probabilities)


def test_static_values_are_refused():
    model = SequenceRegressor(**QUICK).fit(arrays(), np.arange(24.0), static=np.arange(24.0)[:, None])
    with pytest.raises(UsageError, match="this regressor reads static values beside the steps"):
        model.stream()


def test_running_summaries_are_those_of_the_whole():
    x = torch.randn(200, 4, dtype=torch.float64) * 3 + 1000
    memory = {"middle": torch.zeros(1, 1, 4, dtype=torch.float64)}
    for count, row in enumerate(x, 1):
        memory |= _seen(row[None, None], torch.tensor([[[count]]]), memory)
        memory["count"] = torch.tensor([[[count]]])
        if count in (1, 2, 50, 200):
            expected = summaries(x[:count, None], torch.tensor([count]))
            torch.testing.assert_close(_figures(memory), expected, rtol=1e-9, atol=1e-9)
