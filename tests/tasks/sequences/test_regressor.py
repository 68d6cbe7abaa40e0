from __future__ import annotations

import numpy as np
import pytest

from loopcell import SequenceRegressor
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]


def sums(count=200, seed=0):
    """Arrays [T, 2], and the largest running sum of the first number, in hundreds."""
    drawn = np.random.default_rng(seed)
    X = [drawn.standard_normal((drawn.integers(1, 8), 2)).astype(np.float32) for _ in range(count)]
    return X, np.array([100 * x[:, 0].cumsum().max() + 1000 for x in X])


@pytest.fixture(scope="module")
def model():
    return SequenceRegressor(**QUICK, epochs=25).fit(*sums())


def test_it_learns_numbers_on_a_scale_of_their_own(model):
    X, y = sums(80, seed=4)
    given = model.predict(X)
    assert given.shape == (80,)
    assert given.dtype == np.float64
    assert model.score(X, y) > 0.8  # R2, scikit-learn's


def test_the_table_has_the_mean_and_a_ridge(model):
    X, y = sums(80, seed=4)
    table = model.evaluate(X, y, training=sums())
    assert list(table.rows) == ["model", "mean", "summary ridge"]
    assert table.model["MSE"] == pytest.approx(((model.predict(X) - y) ** 2).mean(), rel=1e-4)
    assert table.rows["mean"]["R2"] == pytest.approx(0.0)
    assert table.model["R2"] > table.rows["summary ridge"]["R2"]


def test_several_numbers_each():
    X, y = sums(60)
    pairs = np.stack([y, [len(x) for x in X]], axis=1)
    model = SequenceRegressor(**QUICK, epochs=3).fit(X, pairs)
    assert model.predict(X[:5]).shape == (5, 2)
    assert np.isfinite(model.evaluate(X, pairs).model["MSE"])


def test_saved_and_loaded_it_gives_the_same_numbers(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    X, _ = sums(10, seed=4)
    assert (SequenceRegressor.load(tmp_path / "m.safetensors").predict(X) == model.predict(X)).all()


def test_text_to_a_number_and_targets_from_a_table():
    texts = ["a" * n for n in range(1, 40)]
    model = SequenceRegressor(**QUICK, epochs=3, validation_fraction=0).fit(texts, [str(n) for n in range(1, 40)])
    assert model.outputs_ is None
    assert model.predict(["aaa"]).shape == (1,)


def test_a_target_that_is_no_number_is_named():
    X, y = sums(20)
    with pytest.raises(DataError, match=r"y\[7\]: 'many' is not a number"):
        SequenceRegressor(**QUICK, epochs=1, validation_fraction=0).fit(X, [*y[:7], "many", *y[8:]])
    with pytest.raises(DataError, match=r"y\[3\] is nothing: every example needs a number; 1 has none of 20"):
        SequenceRegressor(**QUICK, epochs=1).fit(X, [*y[:3], float("nan"), *y[4:]])
    with pytest.raises(DataError, match=r"y\[2\] has 1 numbers, and the first target has 2"):
        SequenceRegressor(**QUICK, epochs=1, validation_fraction=0).fit(X[:3], [[1, 2], [3, 4], [5]])


def chance(count, seed):
    """Sequences of noise, and numbers that have nothing to do with them."""
    drawn = np.random.default_rng(seed)
    return list(drawn.standard_normal((count, 6, 2)).astype(np.float32)), drawn.standard_normal(count)


@pytest.mark.parametrize("seed", [1, 5])
def test_where_there_is_nothing_to_learn_it_stays_near_the_mean(seed):
    settings = {**QUICK, "batch_size": 16, "epochs": 15, "patience": 15}
    (X, y), new = chance(40, seed), chance(500, 100 + seed)
    model = SequenceRegressor(**settings).fit(X, y)
    assert model.score(*new) >= -0.1
    assert SequenceRegressor(**settings, calibrate=False).fit(X, y).score(*new) < -0.1
    said = [note for note in model.notes_ if "cannot be told from chance by 10 held-out examples, so every" in note]
    assert bool(said) == (np.ptp(model.predict(new[0])) == 0)


def test_what_is_learned_well_is_hardly_drawn_to_the_mean(model):
    X, y = sums(80, seed=4)
    free = SequenceRegressor(**QUICK, epochs=25, calibrate=False).fit(*sums())
    assert model.score(X, y) == pytest.approx(free.score(X, y), abs=0.01)
    assert not [note for note in model.notes_ if "chance" in note]


def test_going_on_with_a_run_draws_to_the_mean_once(tmp_path):
    X, y = sums(60)
    settings = {**QUICK, "epochs": 5, "summaries": False}
    first = SequenceRegressor(**settings).fit(X, y, run=tmp_path / "run")
    again = SequenceRegressor(**settings).fit(X, y, run=tmp_path / "run", resume=True)
    assert (again.predict(X) == first.predict(X)).all()
    assert (SequenceRegressor.load(tmp_path / "run").predict(X) == first.predict(X)).all()
    free = SequenceRegressor(**settings, calibrate=False).fit(X, y)
    assert np.std(first.predict(X)) < 0.99 * np.std(free.predict(X))


@pytest.mark.parametrize("value", [0.0, 7.0, -1e12, 1e-12, 1e300])
@pytest.mark.parametrize("settings", [{}, {"calibrate": False}, {"validation_fraction": 0.0}])
def test_a_number_that_never_varies_is_predicted_as_it_is(value, settings, tmp_path):
    X, _ = sums(60)
    model = SequenceRegressor(**QUICK, epochs=2, **settings).fit(X, np.full(60, value))
    assert model.notes_ == ["y never varies in training: every prediction is what it is there"]
    model.save(tmp_path / "m.safetensors")
    assert (SequenceRegressor.load(tmp_path / "m.safetensors").predict(X) == value).all()
    table = model.evaluate(X, np.full(60, value))
    assert table.data == "60 sequences (no R2: all numbers are the mean of training)"
    assert table.rows["model"] == table.rows["mean"] == {"MSE": 0.0, "RMSE": 0.0, "MAE": 0.0}


def test_one_number_that_never_varies_leaves_the_others_to_be_learned():
    X, y = sums()
    model = SequenceRegressor(**QUICK, epochs=25, calibrate=False).fit(X, np.stack([y, np.full(200, -3.0)], axis=1))
    assert model.notes_ == ["1 of 2 numbers of y never vary in training: they are predicted as they are there"]
    given = model.predict(X)
    assert (given[:, 1] == -3.0).all()
    assert np.corrcoef(given[:, 0], y)[0, 1] > 0.8


def test_what_varies_in_the_held_out_part_only_is_the_value_of_training():
    X, _ = sums(60)
    model = SequenceRegressor(**QUICK, epochs=2).fit(X, np.full(60, 2.0), validation=(X[:9], np.arange(9.0)))
    assert (model.predict(X) == 2.0).all()
    assert model.evaluate(X[:9], np.arange(9.0)).model["R2"] == 0.0


# --- losses by name ---------------------------------------------------------------------------------------------------


def skewed(count=300, seed=0):
    """Sequences that say nothing of their numbers, which are exponential: mean 1, median log 2, 90% below log 10."""
    drawn = np.random.default_rng(seed)
    return [drawn.normal(0, 1, (3, 1)) for _ in range(count)], drawn.exponential(1.0, count)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"loss": "mse"}, 1.0),
        ({"loss": "mae"}, np.log(2)),
        ({"loss": "quantile", "quantile": 0.9}, np.log(10)),
        ({"loss": "quantile"}, np.log(2)),
    ],
)
def test_what_a_loss_makes_least_is_predicted(settings, expected, tmp_path):
    X, y = skewed(1500)
    model = SequenceRegressor(**QUICK, **settings, epochs=8, calibrate=False).fit(X, y)
    assert model.predict(X).mean() == pytest.approx(expected, abs=0.15 * expected + 0.05)
    model.save(tmp_path / "m.safetensors")
    again = SequenceRegressor.load(tmp_path / "m.safetensors")
    assert (again.loss, again.quantile) == (settings["loss"], settings.get("quantile", 0.5))
    assert np.array_equal(again.predict(X), model.predict(X))


def test_the_table_of_a_quantile_has_its_pinball_loss_and_the_naive_loss_is_a_constants():
    X, y = skewed(400)
    model = SequenceRegressor(**QUICK, loss="quantile", quantile=0.9, epochs=2).fit(X, y)
    given = model.predict(X)
    pinball = np.where(y > given, 0.9 * (y - given), 0.1 * (given - y)).mean()
    assert model.evaluate(X, y).model["pinball"] == pytest.approx(pinball)
    assert model.evaluate(X, y).verdict().metric == "pinball"
    (training, (_, held_out)) = model.parts(X, y)
    constant = np.quantile(training[1].values[training[1].indices], 0.9)
    true = held_out.values[held_out.indices]
    wanted = np.where(true > constant, 0.9 * (true - constant), 0.1 * (constant - true)).mean()
    naive = model._naive(model._examples(*model.parts(X, y)[1]))
    assert naive.what == "saying the quantile at 0.9"
    assert naive.loss * model.target_scale_.size[0] == pytest.approx(wanted, rel=1e-5)


def test_a_loss_that_is_none_is_refused():
    X, y = skewed(20)
    with pytest.raises(UsageError, match="loss: a function was expected, mse, mae, huber, quantile, or None, got 'x'"):
        SequenceRegressor(loss="x").fit(X, y)
    with pytest.raises(UsageError, match="quantile: input should be less than 1, got 1"):
        SequenceRegressor(loss="quantile", quantile=1.0).fit(X, y)
