"""Reconciliation beside the closed formula, written plainly; and what MinT is for: less error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell import Forecaster
from loopcell.data import Series
from loopcell.errors import DataError, UsageError
from loopcell.tasks import Backtest, Forecast, reconcile
from loopcell.tasks.forecasting.reconciliation import hierarchy_of, shrunk_covariance

TREE = {"all": ["north", "south"], "north": ["a", "b"], "south": ["c", "d"]}
NAMES = ("all", "north", "south", "a", "b", "c", "d")
S = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], *np.eye(4)])


def forecast(name, mean, spread=1.0):
    mean = np.asarray(mean, float)[:, None]
    quantiles = np.stack([mean - spread, mean, mean + spread], -1)
    return Forecast(name, np.arange(len(mean)), ("sold",), mean, (0.1, 0.5, 0.9), quantiles)


def drawn(seed=0, steps=3):
    values = np.random.default_rng(seed).normal(10, 3, (7, steps))
    return [forecast(name, row) for name, row in zip(NAMES, values, strict=True)], values


def backtest(name, errors):
    """A backtest of one step whose errors are these."""
    target = np.arange(len(errors) + 1, dtype=float)[:, None]
    nothing = np.empty((len(target), 0))
    series = Series(name, np.arange(len(target)), None, target, nothing, nothing, ("sold",), (), ())
    places = np.arange(1, len(target))
    mean = (target[places] - np.asarray(errors)[:, None])[:, None]
    return Backtest(series, places, mean, (), np.empty((*mean.shape, 0)), np.ones(1))


def means(found):
    return np.stack([one.mean[:, 0] for one in found])


def adds_up(found):
    values = {one.series: one.mean for one in found}
    for total, parts in TREE.items():
        assert values[total] == pytest.approx(sum(values[part] for part in parts), rel=1e-12)


def test_the_summing_matrix():
    tree = hierarchy_of(TREE)
    assert tree.names == NAMES
    assert (tree.sums == S).all()
    weighted = hierarchy_of({"net": {"sold": 1, "returned": -1}})
    assert weighted.sums.tolist() == [[1, -1], [1, 0], [0, 1]]


def test_a_matrix_says_the_same_as_its_parts():
    given, _ = drawn()
    matrix = pd.DataFrame(S, index=NAMES, columns=list("abcd"))
    assert means(reconcile(given, matrix, "ols")) == pytest.approx(means(reconcile(given, TREE, "ols")))
    with pytest.raises(UsageError, match="the row of a bottom series is 1 in its column"):
        reconcile(given, matrix * 2, "ols")
    with pytest.raises(UsageError, match="names each series once"):
        reconcile(given, matrix.drop(index="a"), "ols")


def test_bottom_up_adds_the_parts():
    given, values = drawn()
    found = reconcile(given[3:], TREE, "bottom-up")
    assert [one.series for one in found] == list(NAMES)
    assert means(found) == pytest.approx(S @ values[3:])
    assert found[0].levels == ()  # nothing is known of how far a total is off
    adds_up(found)


def test_ols_is_the_projection():
    given, values = drawn()
    found = reconcile(given, TREE, "ols")
    assert means(found) == pytest.approx(S @ np.linalg.inv(S.T @ S) @ S.T @ values)
    adds_up(found)
    again = reconcile(found, TREE, "ols")
    assert means(again) == pytest.approx(means(found))  # what adds up stays


def test_quantiles_move_with_the_mean():
    given, _ = drawn()
    for before, after in zip(given, reconcile(given, TREE, "ols"), strict=True):
        assert after.quantiles - after.mean[..., None] == pytest.approx(before.quantiles - before.mean[..., None])


def plain_shrinkage(errors):
    """Schaefer, Strimmer, 2005, with loops over pairs."""
    count, many = errors.shape
    size = np.sqrt((errors**2).mean(0))
    x = errors / size
    top = bottom = 0.0
    for i in range(many):
        for j in range(many):
            if i != j:
                w = x[:, i] * x[:, j]
                top += ((w - w.mean()) ** 2).sum() / (count * (count - 1))
                bottom += w.mean() ** 2
    share = min(1.0, max(0.0, top / bottom))
    whole = errors.T @ errors / count
    return share * np.diag(np.diag(whole)) + (1 - share) * whole


def test_mint_is_its_closed_formula():
    given, values = drawn()
    errors = np.random.default_rng(5).normal(size=(40, 7)) @ np.random.default_rng(6).normal(size=(7, 7))
    assert shrunk_covariance(errors) == pytest.approx(plain_shrinkage(errors))
    W = plain_shrinkage(errors)
    G = np.linalg.inv(S.T @ np.linalg.inv(W) @ S) @ S.T @ np.linalg.inv(W)
    found = reconcile(given, TREE, "mint", backtests=[backtest(*pair) for pair in zip(NAMES, errors.T, strict=True)])
    assert means(found) == pytest.approx(S @ G @ values)
    adds_up(found)


def test_mint_has_less_error_than_the_forecasts_and_than_the_other_ways():
    """Parts that are noisy and whose noise cancels, totals that are known well: forecasts are truth and errors."""
    spread = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0])
    random, total = np.random.default_rng(1), {"none": 0.0, "bottom-up": 0.0, "ols": 0.0, "mint": 0.0}
    past = random.normal(size=(200, 7)) * spread
    backtests = [backtest(*pair) for pair in zip(NAMES, past.T, strict=True)]
    for _ in range(200):
        true = S @ random.normal(20, 5, (4, 1))
        given = [
            forecast(name, row)
            for name, row in zip(NAMES, true + random.normal(size=(7, 1)) * spread[:, None], strict=True)
        ]
        total["none"] += ((means(given) - true) ** 2).mean()
        for method in ("bottom-up", "ols", "mint"):
            total[method] += ((means(reconcile(given, TREE, method, backtests=backtests)) - true) ** 2).mean()
    assert total["mint"] < min(total["ols"], total["bottom-up"], total["none"])


def test_a_model_of_all_series_is_reconciled():
    random, t = np.random.default_rng(0), np.arange(200)
    parts = {name: 10 + np.sin(2 * np.pi * (t + at) / 6) + random.normal(0, 0.3, 200) for at, name in enumerate("abcd")}
    rows = parts | {"north": parts["a"] + parts["b"], "south": parts["c"] + parts["d"], "all": sum(parts.values())}
    table = {
        "name": np.repeat(list(rows), 200),
        "day": np.tile(np.datetime64("2024-01-01", "D") + t, 7),
        "sold": np.concatenate(list(rows.values())),
    }
    settings = {
        "horizon": 3,
        "history": 12,
        "hidden_size": 8,
        "batch_size": 8,
        "epochs": 3,
        "device": "cpu",
        "random_state": 1,
    }
    model = Forecaster(series="name", time="day", target="sold", **settings).fit(table)
    found = reconcile(model.predict(table), TREE, backtests=model.backtest(table, windows=30))
    adds_up(found)
    assert found[0].quantiles.shape == (3, 1, 3)
    assert str(found[0].times[0])[:10] == "2024-07-19"


@pytest.mark.parametrize(
    ("structure", "sentence"),
    [
        ({}, "totals and their parts were expected"),
        ({"all": "north"}, "the parts of 'all' are names"),
        ({"all": []}, "the parts of 'all' are names"),
        ({"all": ["a", "a"]}, "'all' has a part twice"),
        ({"all": ["a"], "a": ["all"]}, "is a part of itself"),
    ],
)
def test_what_is_no_structure_is_one_sentence(structure, sentence):
    with pytest.raises(UsageError, match=sentence):
        reconcile(drawn()[0], structure, "ols")


def test_what_cannot_be_reconciled_is_one_sentence():
    given, _ = drawn()
    with pytest.raises(DataError, match="series 'd' has no forecast"):
        reconcile(given[:-1], TREE, "ols")
    with pytest.raises(DataError, match="series 'a' has two forecasts"):
        reconcile([*given, given[3]], TREE, "ols")
    with pytest.raises(DataError, match="of different times"):
        reconcile([*given[:-1], forecast("d", [1.0])], TREE, "ols")
    with pytest.raises(UsageError, match="give backtests of all series"):
        reconcile(given, TREE)
    with pytest.raises(UsageError, match="method is 'bottom-up', 'ols', 'mint', got 'best'"):
        reconcile(given, TREE, "best")
    with pytest.raises(DataError, match="takes 3 errors of the past at least, and there are 2"):
        reconcile(given, TREE, backtests=[backtest(name, [1.0, 2.0]) for name in NAMES])
