"""The committed comparison of cells: what it shows, and that the documentation has its figures."""

import pytest

from benchmarks.cells_compared import DELAYS, JOBS, SEEDS, latest, thinned
from benchmarks.cells_shown import DOCS, WORDS, picture, share, shown, table, tables


def reached(name, cell):
    return latest(name)["reaches"][cell]


def test_the_rnn_fails_where_lstm_and_gru_hold():
    found = latest("recall")
    farthest = max(score["distance"] for score in found["scores"])
    for cell in ("gru", "lstm"):
        assert reached("recall", cell) == [farthest] * SEEDS
    assert max(reached("recall", "rnn")) < farthest
    last = {score["cell"]: score for score in found["scores"] if score["distance"] == farthest}
    assert last["rnn"]["high"] < 0.4  # a guess is right once in four
    assert last["lstm"]["low"] >= 0.95
    assert last["rnn"]["seeds"] == last["lstm"]["seeds"] == SEEDS == 3


def test_gated_cells_add_and_the_rnn_says_the_mean():
    found = latest("adding")
    for score in found["scores"]:
        if score["cell"] == "rnn":
            assert score["low"] > 0.5 * found["baselines"]["no memory"]
        else:
            assert score["high"] <= found["solved"]


def test_an_orthogonal_rnn_copies_at_least_as_well_as_gated_cells():
    scores = {(score["cell"], score["distance"]): score["mean"] for score in latest("copying")["scores"]}
    for distance in {distance for _, distance in scores}:
        assert scores["rnn", distance] >= max(scores[cell, distance] for cell in ("gru", "lstm"))


def test_the_horizon_of_trained_models_is_the_distance():
    rows = latest("memory_length")["rows"]
    assert {row["distance"] for row in rows} == set(DELAYS) == {5, 20, 80}
    assert [row for row in rows if not row["horizon"] == row["largest effect"] == row["distance"]] == []


@pytest.mark.parametrize("name", [*JOBS, "memory_length"])
def test_a_result_names_its_machine_and_command(name):
    found = latest(name)
    assert found["machine"]["processor"]
    assert found["machine"]["torch"]
    assert found["command"] == "python -m benchmarks.cells_compared"
    assert found["threads"] == 1


@pytest.mark.parametrize("page", WORDS)
def test_the_documentation_has_the_tables_of_the_results(page):
    text = (DOCS / "concepts" / page).read_text(encoding="utf-8")
    for name, found in tables(page).items():
        there = f"<!-- figures: {name} -->\n\n{found}\n\n<!-- figures: end -->" in text
        assert there, "the page is old: python -m benchmarks.cells_shown"


def test_the_picture_shows_every_job_and_cell(tmp_path):
    picture(tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    for words in (*JOBS, "indrnn", "min_gru", "distance in steps", "MSE"):
        assert f">{words}</text>" in text


def test_how_figures_are_written():
    assert thinned([float(step) for step in range(17)]) == {str(2 * part): 2.0 * part for part in range(9)}
    assert shown({"mean": 0.98, "low": 0.96, "high": 1.0}) == "0.98 (0.96 – 1.00)"
    assert shown({"mean": 0.0101, "low": 0.0101, "high": 0.0101}) == "0.010"
    assert [share(value) for value in (0.52, 1.3, 0.0012, 3e-11, 0.0)] == ["0.5", "1", "1e-3", "3e-11", "0"]
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
