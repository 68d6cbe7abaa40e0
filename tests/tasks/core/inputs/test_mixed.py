"""Categories in the steps of sequences: what the network reads of them, unseen ones, files, bad columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import sequences_from_table
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.inputs import MixedInput

QUICK = {"cell": "gru", "hidden_size": 8, "epochs": 2, "random_state": 1, "batch_size": 8}
PETS = ["cat", "dog", "emu"]


def frames(count, seed=0, pets=PETS):
    drawn = np.random.default_rng(seed)
    return [
        pd.DataFrame({"weight": 50 + drawn.normal(size=steps), "pet": drawn.choice(pets, steps)})
        for steps in drawn.integers(1, 8, count)
    ]


def test_a_category_is_a_one_among_zeros_and_numbers_are_on_their_scale():
    X = frames(12)
    model = SequenceRegressor(**QUICK).fit(X, np.arange(12.0))
    assert isinstance(model.input_, MixedInput)
    assert model.input_.names == ["weight", "pet=cat", "pet=dog", "pet=emu"]
    assert "read as categories, a vector for each: pet (3)" in model.notes_
    training = model.parts(X, np.arange(12.0))[0][0]
    weights = np.concatenate([one["weight"] for one in training])
    for x, read in zip(X, model.input_.sequences(X), strict=True):
        np.testing.assert_allclose(read[:, 0], (x["weight"] - weights.mean()) / weights.std(), rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(read[:, 1:], pd.get_dummies(x["pet"]).reindex(columns=PETS, fill_value=0))


def test_what_only_categories_tell_is_learned_and_kept_in_a_file(tmp_path):
    X = frames(120)
    y = ["yes" if x["pet"].iloc[-1] == "dog" else "no" for x in X]
    model = SequenceClassifier(**QUICK | {"epochs": 40, "learning_rate": 0.01, "summaries": False}).fit(X, y)
    others = frames(60, seed=1)
    true = ["yes" if x["pet"].iloc[-1] == "dog" else "no" for x in others]
    assert model.score(others, true) > 0.9
    model.save(tmp_path / "m.safetensors")
    again = SequenceClassifier.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict_proba(others), model.predict_proba(others))
    np.testing.assert_array_equal(again.predict_proba([pl.from_pandas(x) for x in others]), model.predict_proba(others))


def test_unseen_ones_are_counted_and_read_as_nothing_and_so_are_missing_ones():
    model = SequenceRegressor(**QUICK).fit(frames(12), np.arange(12.0))
    new, gone = frames(1, seed=3), frames(1, seed=3)
    new[0]["pet"], gone[0]["pet"] = "yak", None
    said = model.predict(new)
    steps = len(new[0])
    sentence = f"{steps} steps have a pet that training did not have, such as 'yak'"
    assert any(note.startswith(sentence) for note in model.notes_)
    before = len(model.notes_)
    assert (model.predict(gone) == said).all()
    assert len(model.notes_) == before


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
def test_a_long_table_with_a_column_of_words(kind):
    drawn = np.random.default_rng(0)
    table = pd.DataFrame({"unit": np.repeat(np.arange(30), 6), "a": drawn.normal(size=180)})
    table["pet"] = drawn.choice(PETS, 180)
    table.loc[5, "pet"] = None
    each = kind is SequenceTagger
    table["label"] = np.where(table["pet"] == "dog", "d", "n") if each else np.array(["p", "q"])[table["unit"] % 2]
    found = sequences_from_table(table, input=("a", "pet"), by="unit", target="label", each_step=each)
    assert any("values of pet" in note for note in found.notes)
    model = kind(**QUICK | {"epochs": 30 if each else 1, "learning_rate": 0.02}).fit(found.X, found.y)
    assert model.input_.raw == ["a", "pet"]
    if each:
        assert model.score(found.X, found.y) > 0.95
        with model.stream() as stream:
            live = [stream.step({"a": row.a, "pet": row.pet}).label for row in table.iloc[:5].itertuples()]
        assert live == list(model.predict(found.X)[0][:5])


def test_of_augmentations_only_a_crop_leaves_categories_whole():
    y = np.arange(12.0)
    SequenceRegressor(**QUICK, augment=("crop=0.5",)).fit(frames(12), y)
    with pytest.raises(UsageError, match="some columns of X are categories: crop alone leaves these whole"):
        SequenceRegressor(**QUICK, augment=("crop=0.5", "jitter=0.1")).fit(frames(12), y)


def test_numbers_that_are_named_are_categories():
    X = [pd.DataFrame({"code": [1, 2, 3], "a": [0.0, 1.0, float(number)]}) for number in range(12)]
    model = SequenceRegressor(**QUICK, categories=("code",)).fit(X, np.arange(12.0))
    assert model.input_.names == ["code=1", "code=2", "code=3", "a"]
    with pytest.raises(UsageError, match="categories names 'kind', and there is no such column of steps"):
        SequenceRegressor(**QUICK, categories=("kind",)).fit(X, np.arange(12.0))


@pytest.mark.parametrize("count", [257, 1_000_000])
def test_a_column_of_very_many_is_refused_with_the_limit(count):
    long = pd.DataFrame({"pet": [f"p{number}" for number in range(count)], "a": 0.0})
    X = [long, long.iloc[:3]]
    with pytest.raises(DataError, match=f"column 'pet' has {count:,} categories, and 256 is the most that steps"):
        SequenceRegressor(**QUICK).fit(X * 4, np.arange(8.0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x.drop(columns="pet"), "has no column 'pet'"),
        (lambda x: x.assign(weight="heavy"), "column 'weight',"),
        (lambda x: x.to_numpy()[:, :1], r"has the shape \[\d+, 1\], and steps have 2 columns: weight, pet"),
    ],
)
def test_other_columns_than_in_training_are_named(change, reason):
    model = SequenceRegressor(**QUICK).fit(frames(12), np.arange(12.0))
    with pytest.raises(DataError, match=reason):
        model.predict([change(frames(1)[0])])


@pytest.mark.parametrize(
    "change",
    [{"raw": "ab"}, {"categories": [[5, ["x"]]]}, {"categories": [[0, [1]]]}, {"categories": [[0, ["x"]], [0, ["y"]]]}],
)
def test_a_damaged_file_is_refused(change):
    known = MixedInput(["pet", "a"], {0: ["cat", "dog"]})
    assert MixedInput.from_json(known.to_json()).names == ["pet=cat", "pet=dog", "a"]
    with pytest.raises((ValueError, TypeError)):
        MixedInput.from_json({**known.to_json(), **change})
