"""The papers' table of long horizons: splits, settings of its columns, and what a table is of."""

from __future__ import annotations

import pytest

from loopcell import ScoreTable
from loopcell.errors import UsageError
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting import long_horizons
from loopcell.tasks.forecasting.long_horizons import (
    COLUMNS,
    PUBLISHED,
    SETS,
    TableColumn,
    forecaster,
    load_set,
    table_of,
)
from loopcell.tasks.forecasting.settings import demand_segments


@pytest.mark.parametrize(
    ("name", "split"),
    [("ETTh1", (8640, 2880, 2880)), ("ETTh2", (8640, 2880, 2880)), ("ETTm1", (34560, 11520, 11520))],
)
def test_splits_are_the_papers(name, split):
    assert load_set(name).split == split
    with pytest.raises(UsageError, match="there is no set 'ETTx': there are ETTh1"):
        load_set("ETTx")


@pytest.mark.parametrize("column", [*COLUMNS, TableColumn(96, 720), TableColumn(24, 336), TableColumn(336, 96, 3)])
@pytest.mark.parametrize("small", [False, True])
def test_every_column_has_settings_that_go_together(column, small):
    settings = checked(forecaster(SETS["ETTm1"], column, 3, small=small))
    demand_segments(settings)
    assert (settings.horizon, settings.history, settings.ensemble, settings.random_state) == (*column, 3)
    assert settings.season == 96  # a day of quarters of an hour
    assert sum(settings.split) > 50_000 or small


def test_settings_of_single_columns_are_of_columns_of_the_table():
    known = {*COLUMNS, TableColumn(96, 720), TableColumn(24, 336)}
    assert known >= long_horizons.OTHERS.keys()
    assert all(known >= figures.keys() for rows in PUBLISHED.values() for figures in rows.values())


def score(mse, naive):
    rows = {"model": {"scaled MSE": mse, "scaled MAE": mse / 2}, "naive": {"scaled MSE": naive, "scaled MAE": naive}}
    return ScoreTable("of a test", rows)


def test_a_table_has_the_means_over_the_seeds_beside_what_was_published():
    found = table_of(
        {TableColumn(96): [score(0.25, 2.0), score(0.75, 2.0)], TableColumn(96, 720): [score(1, 3)] * 2}, "ETTh1"
    )
    assert found.data == "ETTh1, standardised values of all columns, mean of 2 seeds"
    assert found.model == {"MSE 96": 0.5, "MAE 96": 0.25, "MSE 96 from 720": 1.0, "MAE 96 from 720": 0.5}
    assert found.rows["naive"]["MSE 96 from 720"] == 3
    assert found.rows["SegRNN"] == {"MSE 96": 0.368, "MSE 96 from 720": 0.351}
    assert found.rows["DLinear"] == {"MSE 96": 0.386}
    alone = table_of({TableColumn(96): [score(0.25, 2.0)]}, "ETTm1")
    assert list(alone.rows) == ["model", "naive"]  # nothing that was checked in its source
    assert alone.data.endswith("mean of 1 seed")


def test_a_column_by_an_ensemble_has_the_settings_and_the_published_figures_of_one_network():
    alone, several = (checked(forecaster(SETS["ETTh1"], TableColumn(336, 96, count), 1)) for count in (1, 3))
    assert (several.ensemble, several.segment, several.epochs) == (3, alone.segment, alone.epochs)
    found = table_of({TableColumn(336): [score(0.5, 2.0)] * 3, TableColumn(336, 96, 3): [score(0.25, 2.0)]}, "ETTh1")
    assert found.data.endswith("mean of 3 seeds")
    assert found.model["MSE 336 (3 networks)"] == 0.25
    assert found.rows["SegRNN"]["MSE 336 (3 networks)"] == found.rows["SegRNN"]["MSE 336"]
