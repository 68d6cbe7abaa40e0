"""`loopcell train forecast | anomaly FILE...`: estimators from tables of time series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from loopcell.cli import early
from loopcell.cli.estimator_flags import flags_of
from loopcell.cli.file_flags import READING
from loopcell.cli.finish import report_estimator
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.train_estimators import CellName, Files, Held, Run
from loopcell.cli.values import demand_sizes, find_cell
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.forecasting.settings import AnomalySettings, ForecasterSettings, SeriesSettings

FORECAST = (*READING, *flags_of(ForecasterSettings))
ANOMALY = (*READING, *flags_of(AnomalySettings))


@with_flags(FORECAST)
def forecast(
    files: Files, val: Held = None, cell: CellName = "gru", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a forecaster: the next steps of time series. A row of the table is a step."""
    with reporting(debug) as began:
        _train(began, "forecaster", ForecasterSettings, (FORECAST, typed), (files, val, cell, run))


@with_flags(ANOMALY)
def anomaly(
    files: Files, val: Held = None, cell: CellName = "gru", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a detector of anomalies on quiet time series. A row of the table is a step."""
    with reporting(debug) as began:
        _train(began, "anomaly-detector", AnomalySettings, (ANOMALY, typed), (files, val, cell, run))


SERIES_VERBS: dict[str, Callable[..., None]] = {"forecast": forecast, "anomaly": anomaly}
SERIES_TASKS = ("forecaster", "anomaly-detector")


def _train(
    began: float,
    task: str,
    kind: type[SeriesSettings],
    typed: tuple[tuple[Flag, ...], dict[str, Any]],
    given: tuple[list[Path], list[Path] | None, str, Path | None],
) -> None:
    """Train the estimator of a task as it was typed, and report."""
    files, val, cell, run = given
    settings = Settings(*typed)
    files, val = as_training_files(files, val)
    found = find_cell(cell)
    checked = settings.build(kind, cell=found)
    demand_sizes(found, checked)
    early.demand_settings(checked)
    data, held_out = settings.build(FileExamples, files=files), settings.build(FileExamples, files=val) if val else None
    early.demand_series(checked, data, held_out)
    early.demand_free(run)
    from loopcell.tasks.core.models import model_class
    from loopcell.tasks.forecasting.run import train_series

    estimator = model_class(task)(**settings.given(kind), cell=found, progress=True)
    estimator.began_ = began
    report_estimator(train_series(estimator, data, held_out, run, say_note))
