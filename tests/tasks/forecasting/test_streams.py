"""Streams of series: row by row is what it is at once, for cells, heads and covariates, and after a stop."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from loopcell import AnomalyDetector, Forecaster
from loopcell.errors import DataError, FileFormatError, InputError, UsageError
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

HISTORY, STOP, END = 12, 31, 60
QUICK = {"history": HISTORY, "horizon": 3, "hidden_size": 6, "epochs": 1, "device": "cpu", "random_state": 1}


def table(steps=120):
    """Two columns to forecast, a covariate that is known ahead, one that is not, and the hours."""
    t, drawn = np.arange(steps), np.random.default_rng(0)
    return {
        "a": 20 + 5 * np.sin(t / 3) + drawn.normal(0, 0.3, steps),
        "b": 3 + np.cos(t / 5) + drawn.normal(0, 0.1, steps),
        "price": (t % 7).astype(float),
        "wind": drawn.normal(size=steps),
        "count": drawn.poisson(4, steps).astype(float),
        "time": np.datetime64("2024-06-30T20:00", "us") + t * np.timedelta64(1, "h"),
    }


def cut(data, start, stop):
    return {name: column[start:stop] for name, column in data.items()}


def rows(data, start, stop):
    return [{name: column[at] for name, column in data.items()} for at in range(start, stop)]


FORECASTERS = {
    "arrays": {"target": ("a", "b")},
    "several cells together": {"target": ("a", "b"), "cell": "lstm", "num_layers": 2, "multivariate": True},
    "an own adaptation": {"target": "a", "adapt_rate": 0.05, "cell": "rnn"},
    "no adaptation": {"target": "a", "adapt_rate": 0.0, "cell": "min_gru"},
    "the mean alone": {"target": ("a", "b"), "head": "mean"},
    "a heavy tail": {"target": "a", "head": "student-t"},
    "counts": {"target": "count", "head": "negative-binomial"},
    "a roll-out": {"target": ("a", "b"), "roll_out": True, "head": "mean"},
    "a roll-out along paths": {"target": "a", "roll_out": True, "head": "student-t", "paths": 20},
    "segments": {"target": ("a", "b"), "segment": 4},
    "a calendar": {"target": "a", "time": "time", "calendar": ("day", "week"), "zone": "Europe/Berlin"},
    "a past covariate": {"target": "a", "past": "wind", "segment": 3, "normalise": "window"},
}


def same(found, expected):
    """Hold a forecast against another one."""
    assert (found.times == expected.times).all()
    np.testing.assert_allclose(found.mean, expected.mean, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(found.quantiles, expected.quantiles, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", FORECASTERS)
def test_row_by_row_is_what_it_is_at_once_and_a_stop_changes_no_bit(kind, tmp_path):
    data = table()
    model = Forecaster(**{**QUICK, **FORECASTERS[kind]}).fit(data)
    with model.stream() as stream:
        found = [stream.step(row) for row in rows(data, 0, STOP)]
        state = stream.state
        stream.save(tmp_path / "state")
        found += [stream.step(row) for row in rows(data, STOP, END)]
    assert [one is None for one in found] == [True] * (HISTORY - 1) + [False] * (END - HISTORY + 1)
    for end in (HISTORY, HISTORY + 1, STOP, END):
        same(found[end - 1], model.predict(cut(data, 0, end))[0])
    loaded = Forecaster.load(saved(model, tmp_path))
    for start, after in ((state, model), (tmp_path / "state", loaded)):
        with after.stream(start) as again:
            assert again.rows == STOP
            for one, other in zip((again.step(row) for row in rows(data, STOP, END)), found[STOP:], strict=True):
                assert (one.mean == other.mean).all()
                assert (one.quantiles == other.quantiles).all()


def saved(model, folder):
    model.save(folder / "model.safetensors")
    return folder / "model.safetensors"


def test_pieces_of_any_size_after_a_stop_in_the_first_rows(tmp_path):
    data, path = table(), tmp_path / "state"
    model = Forecaster(**QUICK, target="a", time="time").fit(data)
    whole = model.stream()
    expected = [whole.step(row) for row in rows(data, 0, 30)]
    found = []
    for start, stop in ((0, 5), (5, 6), (6, 14), (14, 30)):  # the file is read and written as blocks begin and end
        with model.stream(path) as stream:
            found += [stream.step(row) for row in rows(data, start, stop)]
    for one, other in zip(found[HISTORY:], expected[HISTORY:], strict=True):
        assert (one.mean == other.mean).all()


def test_arrays_have_rows_of_numbers():
    data = np.stack([table()["a"], table()["b"]], axis=1)
    model = Forecaster(**QUICK).fit(data)
    stream = model.stream()
    found = [stream.step(row) for row in data[:40]]
    same(found[-1], model.predict(data[:40])[0])
    for wrong, sentence in (
        (data[0, :1], "the stream row 41: a row has 2 numbers (target_1, target_2), got 1"),
        (["x", "y"], "has texts, not numbers"),
        ({"target_1": 1.0}, "there is no column 'target_2'"),
        ([1.0, np.inf], "the value is infinite"),
    ):
        before = stream.state
        with pytest.raises((InputError, DataError), match=sentence.replace("(", r"\(").replace(")", r"\)")):
            stream.step(wrong)
        assert stream.rows == before.rows == 40
    same(stream.step(data[40]), model.predict(data[:41])[0])


def test_several_series_in_one_stream_are_as_each_alone():
    data = table(90)
    model = Forecaster(**QUICK, target="a", time="time", series="shop")
    both = {name: np.concatenate([column, column]) for name, column in data.items()}
    both["a"][90:] *= 3
    both["shop"] = np.array(["x"] * 90 + ["y"] * 90)
    model.fit(both)
    stream = model.stream()
    last = {}
    for at in range(50):
        for shop, start in (("x", 0), ("y", 90), ("new", 90)):
            row = {name: column[start + at] for name, column in both.items()} | {"shop": shop}
            last[shop] = stream.step(row)
    for shop, start in (("x", 0), ("y", 90)):
        (alone,) = model.predict({name: column[start : start + 50] for name, column in both.items()})
        same(last[shop], alone)
    assert last["new"].series == "new"  # on the scale of its first rows, as the first piece of `predict_next` decides
    first = {name: column[90 : 90 + HISTORY] for name, column in both.items()} | {"shop": np.array(["new"] * HISTORY)}
    _, state = model.predict_next(first)
    rest = {name: column[90 + HISTORY : 140] for name, column in both.items()} | {"shop": np.array(["new"] * 38)}
    same(last["new"], model.predict_next(rest, state)[0][0])


def test_covariates_of_times_to_come_are_told_ahead():
    data = table()
    model = Forecaster(**QUICK, target="a", time="time", known="price").fit(data)
    stream = model.stream()
    told = [{**row, "a": None} for row in rows(data, 0, 60)]
    for row in told[:3]:
        assert stream.step(row) is None
    for at, row in enumerate(rows(data, 0, 50)):
        assert stream.step(told[at + 3]) is None
        found = stream.step(row)
    end = cut(data, 0, 53)
    end["a"] = np.where(np.arange(53) < 50, end["a"], np.nan)
    same(found, model.predict(end)[0])
    state = stream.state
    assert len(state.facts["series"][0]["ahead"]) == 3
    again = model.stream(state)
    for one in (stream, again):
        assert one.step(told[53]) is None
    last = [one.step(rows(data, 50, 51)[0]) for one in (stream, again)]
    assert (last[0].mean == last[1].mean).all()
    wanted = r"^the stream row 106: the series: .* needs 'price' .* there are 2, add 1 more"
    with pytest.raises(DataError, match=wanted):
        stream.step(rows(data, 51, 52)[0])
    with pytest.raises(DataError, match="its target is empty, and the series was read up to 2024-07-02 22:00 already"):
        stream.step(told[50])


@pytest.mark.parametrize(
    "settings",
    [
        {"target": ("a", "b"), "horizon": 1},
        {"target": ("a", "b"), "horizon": 3, "multivariate": True, "cell": "lstm"},
        {"target": "a", "horizon": 2, "known": "price", "past": "wind", "num_layers": 2},
        {"target": "a", "horizon": 4, "time": "time", "calendar": ("day",), "cell": "rnn"},
    ],
)
def test_scores_row_by_row_are_those_at_once(settings, tmp_path):
    data = table()
    model = AnomalyDetector(**{**QUICK, **settings}).fit(data)
    data["a"][45] += 30
    (expected,), (alarms,) = model.score_samples(data), model.predict(data)
    with model.stream() as stream:
        found = [stream.step(row) for row in rows(data, 0, STOP)]
        stream.save(tmp_path / "state")
        found += [stream.step(row) for row in rows(data, STOP, END)]
    scores = np.array([np.nan if one is None else one.score for one in found])
    np.testing.assert_allclose(scores, expected[:END], rtol=1e-4, atol=1e-4)
    assert [one is not None and one.anomaly for one in found] == alarms[:END].tolist()
    assert alarms[45]
    with model.stream(tmp_path / "state") as again:
        assert [again.step(row) for row in rows(data, STOP, END)] == found[STOP:]
    if settings["target"] == "a":
        assert again.step({**rows(data, END, END + 1)[0], "a": None}) is None  # no value, no score


def test_scores_that_wait_for_steps_to_come_have_no_stream():
    model = AnomalyDetector(**QUICK, target="a", smooth=5).fit(table())
    with pytest.raises(UsageError, match="half have not come yet in a stream; train with smooth=1"):
        model.stream()


def test_a_row_that_fails_leaves_the_stream_as_it_was():
    data = table()
    model = Forecaster(**QUICK, target="a", time="time").fit(data)
    stream = model.stream()
    for row in rows(data, 0, 30):
        stream.step(row)
    at = rows(data, 30, 31)[0]
    for wrong, sentence in (
        ({**at, "time": data["time"][3]}, "begin at 2024-06-30 23:00, and it was read up to 2024-07-02 01:00 already"),
        ({**at, "time": data["time"][40]}, "a gap: it was read up to 2024-07-02 01:00"),
        ({**at, "time": "soon"}, "'soon' is no time"),
        ({**at, "a": "high"}, "'high' is not a number"),
        ({**at, "a": 1e300}, "too far from the values of training"),
        ({"a": 1.0}, "there is no column 'time'"),
    ):
        with pytest.raises(DataError, match=sentence):
            stream.step(wrong)
    with pytest.raises(InputError, match="a row is a mapping with 'time', 'a'"):
        stream.step(1.0)
    same(stream.step(at), model.predict(cut(data, 0, 31))[0])
    fresh = model.stream()
    fresh.step(rows(data, 0, 1)[0])
    with pytest.raises(DataError, match="the stream row 2: the series: a gap"):  # also before the first forecast
        fresh.step(rows(data, 2, 3)[0])


def test_states_of_other_models_and_damaged_ones(tmp_path):
    data, path = table(), tmp_path / "state"
    model, other = (Forecaster(**{**QUICK, "random_state": seed}, target="a").fit(data) for seed in (1, 2))
    with model.stream(path) as stream:
        for row in rows(data, 0, 20):
            stream.step(row)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is the state of another Forecaster, whose weights are not those of this one"):
        other.stream(path)
    state = stream.state
    for change, sentence in (
        ({"facts": {}}, "does not describe a stream"),
        ({"facts": {"series": [{}]}}, "does not describe a stream"),
        ({"facts": {"series": [{**state.facts["series"][0], "waiting": [[1.0]] * 50}]}}, "does not describe"),
        ({"tensors": {name: tensor[..., :0] for name, tensor in state.tensors.items()}}, "does not describe"),
        ({"tensors": {name: tensor.half() for name, tensor in state.tensors.items()}}, "does not describe"),
        ({"tensors": {}}, "does not describe a stream"),
    ):
        changed = type(state)(**{**vars(state), **change})
        changed.save(tmp_path / "changed")
        with pytest.raises(FileFormatError, match=sentence):
            model.stream(tmp_path / "changed")
    path.write_bytes(before[:100])
    with pytest.raises(FileFormatError, match="not a whole one"):
        model.stream(path)
    path.write_bytes(before.replace(b'"task"', b'"tusk"'))
    with pytest.raises(FileFormatError, match="is damaged: its 'task' is None"):
        model.stream(path)


def test_memory_does_not_grow_with_the_rows():
    data = table()
    model = AnomalyDetector(**QUICK, target="a").fit(data)
    stream = model.stream()

    def read(count):
        for number in range(count):
            stream.step({"a": data["a"][number % 120]})

    read(500)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    read(3000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
    assert stream.rows == 3500


@pytest.mark.parametrize("settings", [{}, {"fill": "ffill"}, {"cell": "gru_d"}, {"segment": 4}])
def test_missing_values_come_row_by_row_too(settings, tmp_path):
    data = table()
    holes = np.random.default_rng(1).random(120) < 0.2
    data["a"][holes] = np.nan
    data["wind"][holes[::-1]] = np.nan
    model = Forecaster(**QUICK, **settings, target=("a", "b"), past="wind").fit(data)
    with model.stream() as stream:
        found = [stream.step(row) for row in rows(data, 0, STOP)]
        stream.save(tmp_path / "state")
        found += [stream.step(row) for row in rows(data, STOP, END)]
    for end in (STOP, END):
        same(found[end - 1], model.predict(cut(data, 0, end))[0])
    with model.stream(tmp_path / "state") as again:
        for row, one in zip(rows(data, STOP, END), found[STOP:], strict=True):
            assert (again.step(row).mean == one.mean).all()
    detector = AnomalyDetector(**QUICK, target=("a", "b"), past="wind").fit(data)
    stream = detector.stream()
    scores = np.array([np.nan if one is None else one.score for one in map(stream.step, rows(data, 0, END))])
    np.testing.assert_allclose(scores, detector.score_samples(cut(data, 0, END))[0], rtol=1e-4, atol=1e-4)
