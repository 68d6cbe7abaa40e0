"""Covariates of every kind are learned from, stored, and refused where they cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster, load_model
from loopcell.errors import DataError, UsageError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 3, "history": 6, "season": 6, "hidden_size": 16, "dropout": 0.0, "batch_size": 8, "learning_rate": 1e-2,
    "warmup": 5, "epochs": 25, "device": "cpu", "random_state": 1, "target": "y",
}  # fmt: skip
NETWORKS = [{}, {"segment": 3}, {"roll_out": True, "head": "mean"}]


def table(steps=400, **columns):
    return {"t": np.datetime64("2024-01-01", "h") + np.arange(steps), **columns}


def cut(data, start, stop):
    return {name: column[start:stop] for name, column in data.items()}


def share_left(model, data, start):
    """Return the mean squared error of a backtest, of the variance of what was to be forecast."""
    (found,) = model.backtest(data, start=start)
    return float(((found.true - found.mean) ** 2).mean() / np.var(found.true))


# How a column is read does not depend on the network that it is for: each way of reading once, and each network once.
@pytest.mark.parametrize(
    ("kind", "network"), [("numbers", NETWORKS[0]), *(("words", network) for network in NETWORKS)], ids=str
)
def test_categories_known_ahead_are_learned(network, kind):
    drawn = np.random.default_rng(0)
    code = drawn.integers(0, 5, 400)
    effect = np.array([3.0, -2.0, 0.5, -4.0, 1.0])  # in no order
    names = np.array(["e", "b", "d", "a", "c"])[code] if kind == "words" else code * 100
    data = table(y=effect[code] + drawn.normal(0, 0.1, 400), kind=names)
    settings = QUICK | network | ({"categories": "kind"} if kind == "numbers" else {})
    model = Forecaster(**settings, known="kind").fit(cut(data, 0, 340))
    assert len(model.covariates_.categories["kind"]) == 5
    assert share_left(model, data, 340) < 0.1


def test_categories_of_the_past_are_learned():
    drawn = np.random.default_rng(0)
    code = drawn.integers(0, 4, 400)
    effect = np.array([3.0, -2.0, 0.5, -4.0])
    y = np.concatenate([[0.0], effect[code][:-1]]) + drawn.normal(0, 0.1, 400)
    data = table(y=y, wind=np.array(["NW", "SE", "cv", "NE"])[code])
    settings = QUICK | {"horizon": 1}
    model = Forecaster(**settings, past="wind").fit(cut(data, 0, 340))
    assert share_left(model, data, 340) < 0.1
    with pytest.raises(UsageError, match="a roll-out would need 'wind' of steps that have not come"):
        Forecaster(**settings, past="wind", roll_out=True).fit(data)


def shops(steps=80, count=12):
    """Series whose level after a step up depends on what is static of them."""
    drawn = np.random.default_rng(0)
    rows = {name: [] for name in ("t", "shop", "y", "size", "kind")}
    for number in range(count):
        size, kind = float(number % 4), "abc"[number % 3]
        up = np.arange(steps) % 8 >= 4
        y = np.where(up, size + {"a": 0.0, "b": 5.0, "c": -5.0}[kind], 0.0) + drawn.normal(0, 0.05, steps)
        rows["t"].append(np.datetime64("2024-01-01", "h") + np.arange(steps))
        rows["shop"].append(np.full(steps, f"s{number}"))
        rows["y"].append(y)
        rows["size"].append(np.full(steps, size))
        rows["kind"].append(np.full(steps, kind))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_static_is_read(network, tmp_path):
    data = shops()
    settings = QUICK | network | {"time": "t", "series": "shop", "epochs": 3}
    model = Forecaster(**settings, static=("size", "kind")).fit(data)
    assert model.network_.sizes.static == 2
    found = model.predict(data)
    assert len(found) == 12
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model").predict(data)
    assert all(np.array_equal(one.mean, two.mean) for one, two in zip(found, again, strict=True))
    other = data | {"kind": np.where(data["shop"] == "s0", "b", data["kind"])}
    changed = model.predict(other)
    assert not np.allclose(changed[0].mean, found[0].mean)  # the same history of another kind
    assert np.array_equal(changed[1].mean, found[1].mean)


def test_a_static_value_that_changes_is_said_with_its_place():
    data = shops(40, 2)
    data["size"][50] = 7
    with pytest.raises(DataError, match=r"data row 51 \(series 's1'\): 'size' is 7, and 1 before in the same series"):
        Forecaster(**QUICK, time="t", series="shop", static="size").fit(data)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_parts_of_the_date_are_learned(network):
    drawn = np.random.default_rng(0)
    level = drawn.normal(size=24) * 3  # of each hour, in no order
    t = np.datetime64("2024-01-01", "h") + np.arange(600)
    data = {"t": t, "y": level[np.arange(600) % 24] + drawn.normal(0, 0.1, 600)}
    model = Forecaster(**QUICK | network | {"history": 6}, time="t", calendar="hour").fit(cut(data, 0, 500))
    assert share_left(model, data, 500) < 0.1


def test_holidays_are_learned_and_stored(tmp_path):
    drawn = np.random.default_rng(0)
    days = np.datetime64("2022-01-01") + np.arange(500)
    free = drawn.random(500) < 0.2
    data = {"t": days, "y": np.where(free, -5.0, 0.0) + drawn.normal(0, 0.1, 500)}
    path = tmp_path / "days.txt"
    path.write_text("\n".join(map(str, days[free])), encoding="utf-8")
    model = Forecaster(**QUICK, time="t", holidays=str(path)).fit(cut(data, 0, 400))
    assert share_left(model, data, 400) < 0.1
    model.save(tmp_path / "model")
    path.unlink()  # the days are in the model
    again = load_model(tmp_path / "model")
    assert again.predict(cut(data, 0, 450))[0].mean.tolist() == model.predict(cut(data, 0, 450))[0].mean.tolist()
    listed = Forecaster(**QUICK, time="t", holidays=[str(day) for day in days[free]])
    assert listed.fit(cut(data, 0, 400)).predict(data)[0].mean.tolist() == model.predict(data)[0].mean.tolist()


def test_categories_that_training_did_not_have_are_counted_and_said():
    drawn = np.random.default_rng(0)
    words = np.array(["a", "b", "c"])[drawn.integers(0, 3, 200)]
    data = table(200, y=drawn.normal(size=200), w=words)
    model = Forecaster(**QUICK | {"epochs": 1}, past="w").fit(data)
    new = data | {"w": np.where(np.arange(200) > 196, "z", words)}
    (found,) = model.predict(new)
    assert "'w': 3 values are categories that training did not have ('z'), and are read as one that is unknown" in (
        model.notes_
    )
    missing = model.predict(data | {"w": np.where(np.arange(200) > 196, "", words)})[0]
    assert np.array_equal(found.mean, missing.mean)  # both are unknown
    assert not np.array_equal(found.mean, model.predict(data)[0].mean)


@pytest.mark.parametrize(
    ("fill", "network"), [*((fill, NETWORKS[0]) for fill in ("mask", "ffill", "interpolate")), ("mask", NETWORKS[1])],
    ids=str,
)  # fmt: skip
def test_covariates_may_have_holes(fill, network):
    drawn = np.random.default_rng(0)
    price, rain = drawn.normal(size=400), drawn.normal(size=400)
    data = table(y=3 * price + drawn.normal(0, 0.1, 400), price=price.copy(), rain=rain)
    data["price"][drawn.random(400) < 0.1] = np.nan
    data["price"][330:] = price[330:]
    data["rain"][drawn.random(400) < 0.3] = np.nan
    settings = QUICK | network | {"fill": fill, "epochs": 40}
    model = Forecaster(**settings, known="price", past="rain").fit(cut(data, 0, 340))
    told = ["price missing"] if fill else []
    assert model.covariates_.of_known() == ["price", *told]
    assert model.covariates_.of_past() == ["rain", "rain missing"]
    assert share_left(model, data, 340) < 0.35
    ahead = data | {"y": np.where(np.arange(400) < 397, data["y"], np.nan)}
    (whole,) = model.predict(ahead)
    _, state = model.predict_next(cut(ahead, 0, 203) | {"y": np.where(np.arange(203) < 200, data["y"][:203], np.nan)})
    (last,), _ = model.predict_next(cut(ahead, 200, 400), state)
    assert last.mean == pytest.approx(whole.mean, abs=1e-4)


def test_what_is_known_ahead_has_to_be():
    drawn = np.random.default_rng(0)
    data = table(y=drawn.normal(size=400), price=drawn.normal(size=400))
    model = Forecaster(**QUICK | {"epochs": 1}, time="t", known="price").fit(data)
    ahead = data | {"y": np.where(np.arange(400) < 397, data["y"], np.nan), "price": data["price"].copy()}
    ahead["price"][[397, 399]] = np.nan
    with pytest.raises(DataError, match=r"'price' is missing of steps to come, .*: 2024-01-17 13:00, 2024-01-17 15:00"):
        model.predict(ahead)


@pytest.mark.parametrize(
    ("settings", "columns", "error", "complaint"),
    [
        ({"past": "w"}, {"w": [f"id{n}" for n in range(400)]}, DataError,
         "column 'w' has 360 categories, as many as rows: nothing can be learned of each"),
        ({"past": "w", "categories": "w"}, {"w": np.arange(400)}, DataError, "column 'w' has 360 categories, as many"),
        ({"categories": "w"}, {"w": ["a"] * 400}, UsageError, "categories: 'w' is no covariate; name it as what it is"),
        ({"past": "w"}, {"w": ["1"] * 399 + ["x"]}, DataError, "data row 400, column 'w': 'x' is not a number; if the"),
        ({"calendar": "fortnight"}, {}, UsageError, "calendar"),
        ({"holidays": "2024-12-25"}, {}, UsageError, "holidays needs time stamps: name their column"),
        ({"time": "t", "holidays": "no such file"}, {}, DataError, "holidays: no such file is neither a day like"),
    ],
)  # fmt: skip
def test_what_is_no_covariate_is_one_sentence(settings, columns, error, complaint):
    data = table(y=np.random.default_rng(0).normal(size=400), **columns)
    with pytest.raises(error, match=complaint):
        Forecaster(**QUICK | settings).fit(data)


def test_a_million_categories_are_one_sentence():
    from loopcell.tasks.forecasting import covariates_learned

    count = covariates_learned.MOST_CATEGORIES + 1
    data = {"y": np.zeros(2 * count), "w": np.arange(2 * count) // 2}
    with pytest.raises(DataError, match=r"column 'w' has .* categories, more than 10,000"):
        Forecaster(**QUICK | {"validation_fraction": 0.0}, past="w", categories="w").fit(data)
