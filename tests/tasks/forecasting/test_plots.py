"""Fan charts and anomalies: what is drawn is what was forecast, what came, and what was found."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import AnomalyDetector, Forecaster
from loopcell.errors import InputError, UsageError
from loopcell.tasks import Forecast
from loopcell.tasks.forecasting.plots import MOST_PANELS, figure_of_forecasts
from tests.tasks.conftest import one_thread
from tests.tasks.forecasting.test_inspecting import QUICK, table

__all__ = ["one_thread"]

figures = pytest.importorskip("matplotlib.figure")


def forecast(**others):
    times = np.datetime64("2024-01-03", "us") + np.arange(3) * np.timedelta64(1, "D")
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = np.arange(3.0)[:, None, None] + np.array(levels)
    past = {"history_times": times[:2] - np.timedelta64(2, "D"), "history": np.array([[5.0], [6.0]])}
    return Forecast("", times, ("load",), quantiles[:, :, 2], levels, quantiles, **past | others)


def courses(ax):
    return {line.get_label(): line.get_ydata().tolist() for line in ax.lines}


def test_the_median_begins_at_the_last_value_and_each_pair_of_quantiles_is_an_interval():
    ax = forecast().plot(actual=[1.0, 2.0])
    assert courses(ax) == {"history": [5.0, 6.0], "median": [6.0, 0.5, 1.5, 2.5], "what came": [1.0, 2.0]}
    assert [band.get_label() for band in ax.collections] == ["90% interval", "50% interval"]
    wide = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert {0.05, 1.05, 2.05, 0.95, 1.95, 2.95, 6.0} <= {round(value, 9) for value in wide.tolist()}
    assert ax.lines[0].get_xdata()[0] == np.datetime64("2024-01-01")


def test_times_are_on_the_clock_of_their_zone_and_unknown_ones_are_steps():
    seoul = forecast(zone="Asia/Seoul").plot()
    assert seoul.lines[0].get_xdata()[0] == np.datetime64("2024-01-01T09")
    times = np.full(3, np.datetime64("NaT", "us"))
    ax = Forecast("a", times, ("y",), forecast().mean, (), np.empty((3, 1, 0))).plot()
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert courses(ax) == {"mean": [0.5, 1.5, 2.5]}
    assert ax.get_title() == "a, y"


def test_a_forecast_has_its_history_and_a_backtest_what_came():
    data = table(extra=["price"])
    model = Forecaster(time="time", target=("load", "price"), horizon=3, **QUICK).fit(data)
    (found,) = model.predict(data)
    np.testing.assert_array_equal(found.history[:, 0], data["load"][-12:])
    np.testing.assert_array_equal(found.history_times, data["time"][-12:])
    one = model.backtest(data, start=100)[0][4]
    np.testing.assert_array_equal(one.actual[:, 1], data["price"][104:107])
    lines = courses(one.plot(target="price"))
    assert lines["history"] == data["price"][92:104].tolist()
    assert lines["what came"] == data["price"][104:107].tolist()
    with pytest.raises(UsageError, match=r"one target is drawn, and there are 'load', 'price': name it \(target=\)"):
        found.plot()
    with pytest.raises(UsageError, match="there is no target 'x'"):
        found.plot(target="x")
    with pytest.raises(InputError, match=r"actual: at most 3 numbers were expected, got \[4\]"):
        found.plot(target="load", actual=[1, 2, 3, 4])
    figure, left = figure_of_forecasts([found] * 8)
    assert (len(figure.axes), left) == (MOST_PANELS, 4)


def test_anomalies_are_marked_where_they_are():
    data = table()["load"]
    model = AnomalyDetector(**QUICK, validation_fraction=0.3).fit(data)
    data = data.copy()
    data[90] += 8
    above, below = model.plot(data)
    (scores,), (alarms,) = model.score_samples(data), model.predict(data)
    np.testing.assert_array_equal(above.lines[1].get_xdata(), np.flatnonzero(alarms))
    np.testing.assert_array_equal(above.lines[1].get_ydata(), data[alarms])
    np.testing.assert_array_equal(below.lines[0].get_ydata(), scores)
    assert below.lines[1].get_ydata()[0] == model.threshold_
    figure = figures.Figure()
    given = figure.subplots(1, 2)
    assert model.plot(data, given[1])[0].figure is figure
    assert not given[1].axison
    with pytest.raises(UsageError, match="Axes of a subplot are divided into two"):
        model.plot(data, figure.add_axes((0, 0, 1, 1)))
