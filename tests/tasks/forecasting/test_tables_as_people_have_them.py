"""Times in several columns or in a form of their own, words for missing values: trained on, kept, read again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.errors import DataError, UsageError
from loopcell.tasks import AnomalyDetector, Forecaster

SMALL = {"hidden_size": 4, "epochs": 1, "history": 12, "horizon": 3, "random_state": 0, "device": "cpu", "target": "y"}
HOURS = pd.date_range("2023-02-20", periods=240, freq="h")
PLAIN = pd.DataFrame({"at": HOURS, "y": np.sin(np.arange(240) / 4)})


def with_texts(form):
    return pd.DataFrame({"at": HOURS.strftime(form), "y": PLAIN["y"]})


@pytest.fixture(scope="module")
def plain():
    return Forecaster(**SMALL, time="at").fit(PLAIN).predict(PLAIN)[0]


PARTS = ("year", "month", "day", "hour")
OF_PARTS = PLAIN.assign(**{part: getattr(HOURS, part) for part in PARTS})
OF_TWO = PLAIN.assign(d=HOURS.strftime("%d.%m.%Y"), t=HOURS.strftime("%H.%M"))


@pytest.mark.parametrize(
    ("frame", "arguments"),
    [
        (with_texts("%d/%m/%Y %H:%M"), {"time": "at"}),
        (with_texts("%m/%d/%Y %I:%M %p"), {"time": "at"}),
        (with_texts("%y%j %H"), {"time": "at", "time_format": "%y%j %H"}),
        (OF_PARTS, {"time": PARTS}),
        (OF_TWO, {"time": ("d", "t"), "time_format": "%d.%m.%Y %H.%M"}),
    ],
    ids=["day first", "month first", "a form", "parts", "two columns in a form"],
)
def test_the_same_forecast_whatever_the_form_of_times(tmp_path, plain, frame, arguments):
    model = Forecaster(**SMALL, **arguments).fit(frame)
    frame.to_csv(tmp_path / "t.csv", index=False)
    model.save(tmp_path / "m.safetensors")
    for one, data in ((model, frame), (Forecaster.load(tmp_path / "m.safetensors"), tmp_path / "t.csv")):
        (found,) = one.predict(data)
        assert found.times.tolist() == plain.times.tolist()
        np.testing.assert_allclose(found.mean, plain.mean, rtol=1e-6)


@pytest.mark.parametrize(("form", "first"), [("%d/%m/%Y %H:%M", "2023-03-01"), ("%m/%d/%Y %H:%M", "2023-01-03")])
def test_a_model_remembers_what_stands_first_in_dates(tmp_path, form, first):
    Forecaster(**SMALL, time="at").fit(with_texts(form)).save(tmp_path / "m.safetensors")
    model = Forecaster.load(tmp_path / "m.safetensors")
    later = pd.DataFrame({"at": [f"01/03/2023 {hour:02d}:00" for hour in range(24)], "y": 0.0})  # tells nothing itself
    (found,) = model.predict(later)
    assert str(found.history_times[0])[:10] == first
    with pytest.raises(UsageError, match="no date of the column tells which"):
        Forecaster(**SMALL, time="at").fit(later)


def test_seconds_since_1970_are_hours_in_utc():
    frame = pd.DataFrame({"at": HOURS.astype("int64") // 10**9, "y": PLAIN["y"]})
    if HOURS.unit != "ns":
        frame["at"] = (HOURS - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
    model = Forecaster(**SMALL, time="at", time_format="s").fit(frame)
    assert (model.zone_, str(model.step_)) == ("UTC", "1 hour")
    assert next(model.predict(frame)[0].rows())["time"] == "2023-03-02 00:00+00:00"


@pytest.mark.parametrize("kind", [Forecaster, AnomalyDetector])
def test_words_and_numbers_for_missing_values_are_as_good_as_nan(kind, tmp_path):
    holes = PLAIN["y"].where(np.arange(240) % 17 != 5)
    words = [
        ("NA", "-999", "-999.0", "broken")[at % 4] if np.isnan(one) else repr(float(one))
        for at, one in enumerate(holes)
    ]
    pd.DataFrame({"at": HOURS, "y": words}).to_csv(tmp_path / "t.csv", index=False)
    told = PLAIN.assign(y=holes)
    expected = kind(**SMALL, time="at").fit(told)
    model = kind(**SMALL, time="at", missing=(-999, "broken")).fit(tmp_path / "t.csv")
    assert "14 of 240 values of y are missing" in model.notes_
    model.save(tmp_path / "m.safetensors")
    again = kind.load(tmp_path / "m.safetensors")
    for one, other in zip(again.predict(tmp_path / "t.csv"), expected.predict(told), strict=True):
        values, others = (found.mean if kind is Forecaster else found for found in (one, other))
        np.testing.assert_array_equal(values, others)
    with pytest.raises(DataError, match=r"t\.csv row 6 \(line 7\), column 'y': 'broken' is not a number|'broken'"):
        kind(**SMALL, time="at", missing=-999).fit(tmp_path / "t.csv")
