import csv

import pytest

import loopcell
from loopcell.tasks.core.networks.watching import steps_shown, watch_of


@pytest.mark.parametrize(
    ("steps", "expected"), [(0, []), (1, [0]), (2, [0, 1]), (5, [0, 1, 2, 4]), (20, [0, 1, 2, 4, 8, 16, 19])]
)
def test_the_steps_back_that_are_kept(steps, expected):
    assert steps_shown(steps) == expected


def test_an_estimators_run_is_watched_and_learns_the_same(tmp_path):
    texts, moods = ["so good", "not good", "good", "bad"] * 12, ["+", "-", "+", "-"] * 12

    def fit(run, watch):
        model = loopcell.SequenceClassifier(cell="gru", hidden_size=6, epochs=3, watch=watch, random_state=1)
        return model.fit(texts, moods, run=run)

    watched, left = fit(tmp_path / "watched", 4), fit(tmp_path / "left", 0)
    assert watched.predict_proba(texts).tolist() == left.predict_proba(texts).tolist()
    with (tmp_path / "watched" / "watched.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["layer"] for row in rows} == {"reader.recurrent, layer 0"}
    assert {row["name"] for row in rows if row["kind"] == "saturated"} == {"r", "z", "n"}
    assert not (tmp_path / "left" / "watched.csv").exists()
    assert callable(watch_of(watched.network_, None))
