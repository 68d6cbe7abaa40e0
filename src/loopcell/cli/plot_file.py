"""`--plot FILE`: the picture beside what a verb writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.reporting import say_note
from loopcell.cli.values import named
from loopcell.errors import UsageError

Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        help="Also a picture, .png, .svg or .pdf: predict draws forecasts and anomalies, eval the confusion of labels.",
    ),
]


def demand_plot(path: Path | None) -> None:
    """Refuse a picture that cannot be made, before anything is read.

    Raises:
        UsageError: the name is none of a picture.
        MissingExtraError: matplotlib is not installed.
    """
    if path is not None:
        from loopcell.insight.plots import demand_matplotlib, demand_picture

        demand_picture(path)
        demand_matplotlib()


def demand_series(model: Any, path: Path | None, *, series: bool) -> None:
    """Refuse `--plot` for a model that predicts no series; UsageError says what has a picture."""
    if path is not None and not series:
        raise UsageError(
            f"--plot is for forecasts and anomalies; of {named(model)} `loopcell eval --plot` draws the "
            "confusion of labels, and `loopcell inspect` the inside"
        )


def save_forecasts(forecasts: Sequence[Any], path: Path) -> None:
    """Draw a fan chart for each target of each forecast, and say where some are left out."""
    from loopcell.insight.plots import save_figure
    from loopcell.tasks.forecasting.plots import figure_of_forecasts

    figure, left_out = figure_of_forecasts(forecasts)
    save_figure(figure, path)
    if left_out:
        say_note(f"{path} has the first forecasts; {left_out:,} more are left out of the picture")


def save_anomalies(model: Any, table: Any, path: Path) -> None:
    """Draw the first series of a table with its anomalies and scores, by its first target."""
    from loopcell.insight.plots import save_figure

    above, _ = model.plot(table, series=0, target=model.targets_[0])
    save_figure(above.figure, path)


def save_confusion(table: Any, path: Path) -> None:
    """Draw the confusion of labels; UsageError where there is none."""
    from loopcell.insight.plots import save_figure

    save_figure(table.plot().figure, path)
