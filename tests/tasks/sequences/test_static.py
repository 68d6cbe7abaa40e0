"""Values that hold for a whole sequence: read beside it, scaled, embedded, saved; in baselines and in scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler

from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data import SequenceData
from loopcell.errors import DataError, FileFormatError, UsageError
from loopcell.tasks.core.estimator import as_part
from loopcell.tasks.core.inputs.static import StaticInput
from loopcell.tasks.sequences.baselines.sequences import summaries
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

SHORT = {**QUICK, "hidden_size": 4, "epochs": 2}


def machines(count=300, seed=0):
    """Sequences [T, 1], a table of age, kind and noise, and what is the sum of a sequence's mean, age and kind."""
    drawn = np.random.default_rng(seed)
    X = [drawn.normal(0, 1, (drawn.integers(3, 8), 1)) for _ in range(count)]
    static = pd.DataFrame(
        {
            "age": np.where(drawn.random(count) < 0.1, np.nan, drawn.normal(1000, 50, count)),
            "kind": drawn.choice(["pump", "fan", "valve"], count),
            "noise": drawn.normal(0, 1, count),
        }
    )
    effect = static["kind"].map({"pump": 2.0, "fan": -2.0, "valve": 0.0}).to_numpy()
    age = np.nan_to_num((static["age"].to_numpy() - 1000) / 50)
    return X, static, np.array([x.mean() for x in X]) + age + effect


@pytest.fixture(scope="module")
def model():
    X, static, y = machines()
    return SequenceRegressor(**QUICK, epochs=30).fit(X, y, static=static)


def test_they_are_learned_from(model):
    X, static, y = machines(100, seed=3)
    assert model.score(X, y, static=static) > 0.85
    alone = SequenceRegressor(**QUICK, epochs=10).fit(X, y)
    assert alone.score(X, y) < 0.5
    shuffled = static.sample(frac=1, random_state=0)  # another order of columns is another table
    with pytest.raises(DataError, match="static has the columns kind, age, noise, and training had age, kind, noise"):
        model.predict(X, static=shuffled[["kind", "age", "noise"]])


def test_saved_and_loaded_it_answers_the_same(model, tmp_path):
    X, static, _ = machines(20, seed=3)
    model.save(tmp_path / "m.safetensors")
    again = SequenceRegressor.load(tmp_path / "m.safetensors")
    assert np.array_equal(model.predict(X, static=static), again.predict(X, static=static))
    again.save(tmp_path / "again.safetensors")


def test_a_row_is_numbers_on_their_scale_and_categories_by_number():
    X, static, _ = machines(50)
    found = StaticInput.learn(as_part(SequenceData(X, static=static), "X"), ())
    rows = found.rows(as_part(SequenceData(X, static=static), "X"))
    numbers = static[["age", "noise"]].to_numpy()
    scaled = (numbers - np.nanmean(numbers, 0)) / np.nanstd(numbers, 0)
    np.testing.assert_allclose(rows.numbers[:, :2], np.nan_to_num(scaled), atol=1e-5)
    np.testing.assert_array_equal(rows.numbers[:, 2], ~np.isnan(numbers[:, 0]))
    assert [["fan", "pump", "valve"][number - 1] for number in rows.categories[:, 0]] == static["kind"].tolist()


def test_numbers_may_be_categories_and_the_unseen_is_unknown_and_said():
    X, _, y = machines(60)
    codes = np.arange(60) % 3
    model = SequenceRegressor(**SHORT, categories=("0",)).fit(X, y, static=codes)
    assert model.static_.categories == {0: ["0", "1", "2"]}
    same = [model.predict(X[:1], static=[code])[0] for code in (7, 8.0, None)]
    assert same[0] == same[1] == same[2]
    assert model.notes_[-1] == (
        "1 of 1 sequences have a 0 that training did not have, such as 8.0: it is read as unknown"
    )
    assert model.predict(X[:1], static=[1]) == model.predict(X[:1], static=[1.0])


def test_baselines_read_them_too(model):
    X, static, y = machines(80, seed=3)
    others = machines(40, seed=9)
    table = model.evaluate(
        SequenceData(others[0], static=others[1]), others[2], training=(SequenceData(X, static=static), y)
    )

    def vectors(X, static):
        rows = model.static_.rows(as_part(SequenceData(X, static=static), "X"))
        return summaries(model.input_, X), np.hstack([rows.numbers, np.eye(4)[rows.categories[:, 0]]])

    (own, beside), (other, other_beside) = vectors(X, static), vectors(*others[:2])
    scaler = StandardScaler().fit(own)
    ridge = Ridge().fit(np.hstack([scaler.transform(own), beside]), y)
    given = ridge.predict(np.hstack([scaler.transform(other), other_beside]))
    assert table.rows["summary ridge"]["MSE"] == pytest.approx(((given - others[2]) ** 2).mean())
    assert table.rows["summary ridge"]["R2"] > 0.8


def test_texts_with_static_values_have_a_baseline_as_well():
    X, y = ["aab", "bba"] * 20, ["x", "y"] * 20
    static = [[1.0], [2.0]] * 20
    model = SequenceClassifier(**SHORT).fit(X, y, static=static)
    data = SequenceData(X, static=static)
    assert model.evaluate(data, y, training=(data, y)).rows["n-gram logistic"]["accuracy"] == 1


def test_scikit_learn_splits_sequences_with_what_is_beside_them():
    X, static, y = machines(60)
    data = SequenceData(X, static=static)
    assert len(cross_val_score(SequenceRegressor(**SHORT), data, y, cv=3)) == 3
    search = GridSearchCV(SequenceRegressor(**SHORT), {"hidden_size": [2, 4]}, cv=2).fit(data, y)
    assert search.predict(data[:5]).shape == (5,)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = SequenceRegressor(**SHORT).set_fit_request(static=True).set_score_request(static=True)
        by_name = cross_val_score(routed, X, y, cv=3, params={"static": static.to_numpy()})
    assert np.isfinite(by_name).all()


def test_an_inspection_reads_them_at_every_step(model):
    X, static, _ = machines(10, seed=3)
    data = SequenceData(X, static=static)
    seen = model.inspect(data[2:3])
    assert float(seen.answer[0].label) == pytest.approx(model.predict(data[2:3])[0], rel=1e-3)
    assert all(seen.predictions)
    with pytest.raises(DataError, match="training had static values"):
        model.inspect(X[2])
    assert model.gradient_flow(data[2:3], 1.0).layers


def test_a_loss_of_ones_own_reads_them():
    X, static, y = machines(40)
    model = SequenceRegressor(**SHORT, loss=lambda given, true: (given - true).abs()).fit(X, y, static=static)
    classes = SequenceClassifier(**SHORT, loss=torch.nn.functional.cross_entropy).fit(X, y > 0, static=static)
    assert model.predict(X, static=static).shape == classes.predict(X, static=static).shape


def test_a_run_goes_on_with_the_same_ones_only(tmp_path):
    X, static, y = machines(40)
    SequenceRegressor(**SHORT).fit(X, y, static=static, run=tmp_path / "run")
    longer = SequenceRegressor(**{**SHORT, "epochs": 3}).fit(X, y, static=static, run=tmp_path / "run", resume=True)
    assert len(longer.history_) == 3
    with pytest.raises(UsageError, match="other data"):
        SequenceRegressor(**{**SHORT, "epochs": 4}).fit(
            X, y, static=static.assign(noise=0.0), run=tmp_path / "run", resume=True
        )


def test_what_is_refused():
    X, static, y = machines(50)

    def complaint(given, X=X, y=y, kind=SequenceRegressor, **settings):
        with pytest.raises((DataError, UsageError)) as caught:
            kind(**SHORT, **settings).fit(X, y, **given)
        return str(caught.value)

    assert complaint({"static": static[:3]}) == "static has 3 entries, and X has 50 sequences"
    many = [f"unit {number}" for number in range(50)]
    assert complaint({"static": many}).endswith("too many to learn anything of each; leave it out, or group them")
    assert complaint({"static": [*range(49), np.inf]}).endswith("the static value '0' is infinite")
    dates = pd.DataFrame({"made": pd.date_range("2024", periods=50)})
    assert "the static value 'made' is Timestamp" in complaint({"static": dates})
    assert complaint({"static": static}, categories=("colour",)).startswith("static has no column 'colour'")
    assert complaint({}, categories=("kind",)).startswith("categories names 'kind', and there is no such")
    assert complaint({}, SequenceData(X, static=static), [np.arange(len(x)) % 2 for x in X], SequenceTagger).startswith(
        "a SequenceTagger reads no static values"
    )
    with pytest.raises(DataError, match="X comes with static values, and training had none"):
        SequenceRegressor(**SHORT).fit(X, y).predict(X, static=static)


@pytest.mark.parametrize(
    "change",
    [
        {"names": []},
        {"names": ["a", "a", 3]},
        {"masked": [1]},
        {"categories": [[7, ["x"]]]},
        {"categories": [[1, [3]]]},
    ],
)
def test_stored_ones_that_are_none_are_refused(change, model, tmp_path):
    stored = {**model.static_.to_json(), **change}
    with pytest.raises((ValueError, TypeError)):
        StaticInput.from_json(stored)
    facts = model.facts()
    facts["learned"]["static"] = stored
    with pytest.raises((ValueError, TypeError, FileFormatError)):
        SequenceRegressor.from_facts(facts)
