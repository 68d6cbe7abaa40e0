"""`--plot FILE` of predict and eval: the picture is written beside what they write."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.cli.plot_file import demand_plot
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

pytest.importorskip("matplotlib")

SMALL = ["--cell", "gru", "--hidden", 6, "--epochs", 1, "--device", "cpu", "--seed", 1]


def lines(path, *rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def words_of(picture):
    """The texts of an SVG of matplotlib's, which draws letters as paths and names them in comments."""
    text = picture.read_text(encoding="utf-8")
    return {part.split(" -->")[0] for part in text.split("<!-- ")[1:]}


def test_forecasts_and_anomalies(loopcell, tmp_path):
    days = np.datetime64("2024-01-01") + np.arange(60)
    rows = [f"{name},{day},{number % 7}" for name in "ab" for number, day in enumerate(days)]
    table = lines(tmp_path / "t.csv", "id,day,y", *rows)
    columns = ["--time", "day", "--target", "y", "--series", "id", "--history", 8]
    for verb, expected in (("forecast", {"a, y", "b, y", "median", "80% interval"}), ("anomaly", {"a, y", "score"})):
        run, picture = tmp_path / verb, tmp_path / f"{verb}.svg"
        assert loopcell("train", verb, table, *columns, *SMALL, "--run", run).exit_code == 0
        result = loopcell("predict", run, table, "--plot", picture)
        assert result.exit_code == 0, result.output
        assert result.stdout == loopcell("predict", run, table).stdout
        assert expected <= words_of(picture)
    many = [f"{name},{day},{number % 7}" for name in "abcdefghijklmn" for number, day in enumerate(days)]
    table = lines(tmp_path / "many.csv", "id,day,y", *many)
    result = loopcell("predict", tmp_path / "forecast", table, "--plot", tmp_path / "many.png")
    assert "2 more are left out of the picture" in " ".join(result.stderr.split())


def test_the_confusion_of_labels(loopcell, tmp_path):
    table = lines(tmp_path / "t.csv", "text,label", *["aaa,one", "bbb,two", "ab,two"] * 10)
    run = tmp_path / "run"
    assert loopcell("train", "classify", table, *SMALL, "--run", run).exit_code == 0
    result = loopcell("eval", run, table, "--plot", tmp_path / "c.svg")
    assert result.exit_code == 0, result.output
    assert result.stdout == loopcell("eval", run, table).stdout
    assert {"one", "two", "true", "given"} <= words_of(tmp_path / "c.svg")
    wrong = loopcell("predict", run, table, "--plot", tmp_path / "p.svg")
    assert wrong.exit_code == 2
    assert "of a SequenceClassifier `loopcell eval --plot` draws" in " ".join(wrong.stderr.split())
    wrong = loopcell("eval", run, table, "--plot", tmp_path / "c.doc")
    assert "c.doc: a picture is saved as .png, .svg, .pdf" in wrong.stderr
    assert wrong.stdout == ""


def test_nothing_is_asked_of_matplotlib_without_a_picture(monkeypatch):
    monkeypatch.setattr("loopcell.insight.plots.find_spec", lambda _: None)
    demand_plot(None)


def test_figures_without_labels_have_no_picture(loopcell, run, text, tmp_path):
    result = loopcell("eval", run, text, "--plot", tmp_path / "p.png")
    assert result.exit_code == 2
    assert "these figures have no confusion to draw" in " ".join(result.stderr.split())
