from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import SequenceTagger
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def model():
    return SequenceTagger(**QUICK, epochs=25).fit(*parities(200))


@pytest.fixture(scope="module")
def with_crf():
    return SequenceTagger(**QUICK, epochs=25, crf=True).fit(*parities(200))


@pytest.mark.parametrize("name", ["model", "with_crf"])
def test_it_learns_what_takes_memory_of_the_whole_past(name, request):
    model = request.getfixturevalue(name)
    X, y = parities(50, seed=7)
    assert model.score(X, y) > 0.95
    assert [len(labels) for labels in model.predict(X)] == [len(text) for text in X]
    for text, given in zip(X, model.predict_proba(X), strict=True):
        assert given.shape == (len(text), 2)
        assert given.sum(1) == pytest.approx(np.ones(len(text)))


@pytest.mark.parametrize("name", ["model", "with_crf"])
def test_saved_and_loaded_it_gives_the_same_labels(name, request, tmp_path):
    model = request.getfixturevalue(name)
    model.save(tmp_path / "m.safetensors")
    X, _ = parities(20, seed=7)
    again = SequenceTagger.load(tmp_path / "m.safetensors")
    assert again.crf is model.crf
    for one, other in zip(model.predict_proba(X), again.predict_proba(X), strict=True):
        assert (one == other).all()


def test_a_stream_in_pieces_gives_the_labels_of_the_whole(model):
    text = "abbaabababbbaa"
    whole = model.predict([text])[0].tolist()
    for size in (1, 3, len(text)):
        labels, state = [], None
        for start in range(0, len(text), size):
            given, state = model.predict_next(text[start : start + size], state)
            labels += given.tolist()
        assert labels == whole


def test_a_stream_needs_a_tagger_that_needs_no_future(with_crf):
    with pytest.raises(UsageError, match="this tagger has a CRF: its answers depend on steps that have not come"):
        with_crf.predict_next("a")
    both = SequenceTagger(**QUICK, epochs=1, bidirectional=True).fit(*parities(20))
    with pytest.raises(UsageError, match="this tagger reads both ways"):
        both.predict_next("a")
    pairs = SequenceTagger(**QUICK, epochs=1, ngrams=2).fit(*parities(20))
    with pytest.raises(UsageError, match="this tagger reads 2 tokens at once"):
        pairs.predict_next("a")


def test_steps_without_a_label_teach_nothing_and_do_not_count(model):
    X, y = parities(60)
    half = [[label if at % 2 else None for at, label in enumerate(labels)] for labels in y]
    settings = {**QUICK, "epochs": 2, "validation_fraction": 0}
    learned = SequenceTagger(**settings).fit(X, half)
    assert int(learned.network_.label_counts.sum()) == sum(len(text) // 2 for text in X)
    assert model.score(X, half) == pytest.approx(model.score(X, half))
    batch = learned._examples(*learned.parts(X, half)[0]).batch(np.arange(10))
    changed = batch._replace(targets=torch.where(batch.targets < 0, batch.targets, 0))
    assert learned.network_.loss(batch).predictions == int((batch.targets >= 0).sum())
    assert learned.network_.loss(changed).predictions == learned.network_.loss(batch).predictions


def test_the_table_has_baselines_without_history(model):
    table = model.evaluate(*parities(50, seed=7), training=parities(200))
    assert list(table.rows) == ["model", "majority label", "token between its neighbours"]
    assert table.model["segment F1"] > table.rows["token between its neighbours"]["segment F1"]


def test_numbers_in_and_one_logistic_step_beside_it():
    drawn = np.random.default_rng(0)
    X = [drawn.standard_normal((drawn.integers(2, 12), 2)).astype(np.float32) for _ in range(120)]
    y = [(x[:, 0].cumsum() > 0).astype(int) for x in X]
    model = SequenceTagger(**QUICK, epochs=25).fit(X[:90], y[:90])
    table = model.evaluate(X[90:], y[90:], training=(X[:90], y[:90]))
    assert table.model["accuracy"] > table.rows["step logistic"]["accuracy"] > 0.5
    assert model.predict(X[:1])[0].dtype == np.int64


def test_lists_of_words_with_entities():
    X = [["Ann", "saw", "New", "York"], ["in", "Paris"], ["Ann", "in", "Paris"], ["saw", "Ann"]] * 10
    y = [["B-PER", "O", "B-LOC", "I-LOC"], ["O", "B-LOC"], ["B-PER", "O", "B-LOC"], ["O", "B-PER"]] * 10
    model = SequenceTagger(**QUICK, crf=True, epochs=15).fit(X, y)
    table = model.evaluate(X, y)
    assert table.model["entity F1"] == 1.0
    assert table.rows["majority label"]["entity F1"] == 0.0


def test_bad_labels_are_named():
    X, y = parities(20)

    def complaint(X, y, **settings):
        with pytest.raises((DataError, UsageError)) as caught:
            SequenceTagger(**{**QUICK, "epochs": 1, "validation_fraction": 0, **settings}).fit(X, y)
        return str(caught.value)

    short = [*y[:4], [*y[4], "odd"], *y[5:]]
    assert complaint(X, short) == f"y[4] has {len(X[4]) + 1} labels, and the sequence has {len(X[4])} steps"
    assert complaint(X, [*y[:3], 5, *y[4:]]) == "y[3]: a sequence of labels was expected, one per step, not 5"
    assert complaint(X, [["even"] * len(text) for text in X]).startswith("every label is 'even'")
    assert "no class_weight" in complaint(X, y, crf=True, class_weight="balanced")
    assert len(SequenceTagger(**QUICK, epochs=1).fit(["", *X], [[], *y]).predict(["", "a"])[0]) == 0
