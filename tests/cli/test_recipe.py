"""`loopcell recipe ett`: every window counts, models are kept and taken again, and requests that make no sense."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

ROWS = 900  # of which a small split of 48 steps has 544 + 148 + 148


@pytest.fixture
def table(tmp_path):
    """A made file of the set's form, with two columns."""
    hours = np.datetime64("2016-07-01T00") + np.arange(ROWS)
    drawn = np.random.default_rng(0).normal(size=(ROWS, 2)) + np.sin(np.arange(ROWS) / 24 * 2 * np.pi)[:, None]
    path = tmp_path / "ETTh1.csv"
    rows = (f"{hour},{one:.3f},{other:.3f}" for hour, (one, other) in zip(hours, drawn, strict=True))
    path.write_text("\n".join(["date,HUFL,OT", *rows]), encoding="utf-8")
    return path


def words(line):
    return line.split()


def test_the_table_has_a_column_a_horizon_and_every_window_of_the_test_part(loopcell, table, tmp_path):
    asked = ["recipe", "ett", "--small", "--seeds", "2", "--path", table, "--run", tmp_path / "run"]
    result = loopcell(*asked, "--horizons", "24,48")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    # The last 124 and 148 rows are the test part, whose histories reach back: a window from each of its steps.
    assert next(line for line in lines if line.startswith("24: ")).startswith(
        "24: test part, 101 forecasts of 24 steps"
    )
    assert next(line for line in lines if line.startswith("48: ")).startswith(
        "48: test part, 101 forecasts of 48 steps"
    )
    about = lines.index("ETTh1, standardised values of all columns, mean of 2 seeds:")
    assert words(lines[about + 1]) == ["MSE", "24", "MAE", "24", "MSE", "48", "MAE", "48"]
    model = next(line for line in lines if line.startswith("model"))
    seeds = [Forecaster.load(tmp_path / "run" / f"ETTh1-24-96-{seed}-small.safetensors") for seed in (1, 2)]
    expected = np.mean([model.score_held_out(table).model["scaled MSE"] for model in seeds])
    assert float(words(model)[1]) == pytest.approx(expected, abs=1e-3)
    again = loopcell(*asked, "--horizons", "24,48")
    assert again.stdout.splitlines()[about:] == lines[about:]
    assert result.stderr
    assert not again.stderr  # no progress, since nothing was trained


def test_errors_are_of_values_standardised_by_the_training_part_alone(loopcell, table, tmp_path):
    asked = ["recipe", "ett", "--small", "--seeds", "1", "--path", table, "--run", tmp_path / "run"]
    assert loopcell(*asked, "--horizons", "24").exit_code == 0
    model = Forecaster.load(tmp_path / "run" / "ETTh1-24-96-1-small.safetensors")
    text = table.read_text(encoding="utf-8").splitlines()[1:]
    values = np.array([row.split(",")[1:] for row in text], float)
    first, test = 96 + 124 + 300, 96 + 124 + 300 + 124
    mean, size = values[:first].mean(0), values[:first].std(0)
    naive = [(values[at : at + 24] - values[at - 1]) / size for at in range(test, test + 124 - 24 + 1)]
    found = model.score_held_out(table).rows["naive"]["scaled MSE"]
    assert found == pytest.approx(np.mean(np.square(naive)), rel=1e-6)
    assert mean.shape == (2,)


def test_models_of_other_settings_are_not_taken(loopcell, table, tmp_path):
    asked = ["recipe", "ett", "--small", "--seeds", "1", "--path", table, "--run", tmp_path / "run", "--horizons", "24"]
    assert loopcell(*asked).exit_code == 0
    file = tmp_path / "run" / "ETTh1-24-96-1-small.safetensors"
    model = Forecaster.load(file)
    model.hidden_size = 9
    Forecaster(**model.get_params()).fit(table).save(file)
    result = loopcell(*asked)
    assert result.exit_code == 2
    assert "is a model of other settings (hidden_size): name another folder, or remove that file" in result.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--horizons", "96,x"], "--horizons 96,x: numbers of steps were expected, each once, such as 96,192,336,720"),
        (["--horizon", "96,96"], "--horizons 96,96: numbers of steps were expected, each once"),
        (["--horizon", "96", "--horizons", "192"], "--horizon is the same as --horizons: leave out one of the two"),
        (["--horizons", "0"], "--horizons 0: numbers of steps were expected"),
        (["--set", "ETTh3"], "there is no set 'ETTh3': there are ETTh1, ETTh2, ETTm1, ETTm2"),
        (["--path", "no.csv"], "--path no.csv: there is no such file"),
        (["--seeds", "0"], "--seeds 0: one at least was expected"),
    ],
)
def test_requests_that_make_no_sense(loopcell, typed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = loopcell("recipe", "ett", *typed)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_set_that_cannot_be_fetched_needs_its_file(loopcell, data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_DATA", str(data_dir))
    result = loopcell("recipe", "ett", "--set", "ETTm1", "--run", tmp_path / "run")
    assert result.exit_code == 2
    assert "--set ETTm1: only ETTh1.csv can be fetched; name its file (--path)" in result.stderr


def test_a_file_that_is_too_short_is_refused_before_training(loopcell, table, tmp_path):
    result = loopcell("recipe", "ett", "--path", table, "--run", tmp_path / "run", "--horizons", "24")
    assert result.exit_code == 1
    assert "8640" in result.stderr.replace(",", "")


def test_networks_of_an_ensemble_are_those_of_the_next_seeds(loopcell, table, tmp_path):
    asked = ["recipe", "ett", "--small", "--path", table, "--run", tmp_path / "run", "--horizons", "24"]
    assert loopcell(*asked, "--seeds", "2").exit_code == 0
    result = loopcell(*asked, "--seeds", "1", "--ensemble", "2")
    assert "MSE 24 (2 networks)" in result.stdout
    several = Forecaster.load(tmp_path / "run" / "ETTh1-24-96-of-2-1-small.safetensors")
    alone = [Forecaster.load(tmp_path / "run" / f"ETTh1-24-96-{seed}-small.safetensors") for seed in (1, 2)]
    said, means = several.predict(table)[0].mean, [one.predict(table)[0].mean for one in alone]
    np.testing.assert_allclose(said, np.mean(means, axis=0), atol=1e-4)
