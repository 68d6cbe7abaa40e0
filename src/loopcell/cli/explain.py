"""`loopcell explain CELL`: every stage of the pipeline; `loopcell explain MODEL FILE`: what forecasts stand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.columns import READING
from loopcell.cli.flags import Settings, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note, say_notes
from loopcell.cli.standard_input import as_files
from loopcell.cli.values import find_cell, find_model, named
from loopcell.tasks.core.from_files.config import FileExamples

if TYPE_CHECKING:
    from loopcell.equations import Cell

FLAGS = READING


@with_flags(FLAGS)
def explain(
    cell: Annotated[
        str, typer.Argument(help="A cell's name, or FILE.py:NAME for one of your own; or a forecaster's model or run.")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help="With a model: the series that it forecasts.", metavar="[FILE]...")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Write the cell's wiring as FILE.svg; of forecasts the bars of each lag."),
    ] = None,
    series: Annotated[
        str | None, typer.Option("--which", help="Forecasts: the name of the series, or its number from 0.")
    ] = None,
    column: Annotated[str | None, typer.Option("--column", help="Forecasts: the target, else the first.")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Forecasts: how far ahead, from 1; else the mean of the horizon.")
    ] = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Print what becomes of a cell, from its graph to its backward; or which columns and lags forecasts stand on."""
    with reporting(debug):
        if files:
            asked = {"series": series, "target": column, "step": step}
            _forecasts(find_model(Path(cell)), Settings(FLAGS, typed), files, asked, picture)
            return
        found = find_cell(cell)
        if picture is not None:
            _write(found, picture)
            return
        import loopcell

        typer.echo(loopcell.explain(found))


def _forecasts(path: Path, settings: Settings, files: list[Path], asked: dict[str, Any], picture: Path | None) -> None:
    """Print what a forecaster's last forecasts of a series stand on.

    Raises:
        UsageError: the model is no forecaster.
    """
    from loopcell.cli.plot_file import demand_plot
    from loopcell.errors import UsageError
    from loopcell.tasks.core.models import files_class, load_model

    demand_plot(picture)
    spec = settings.build(FileExamples, files=as_files(files)[0])
    files_class(early.demand_model(path)).demand(spec)
    model = load_model(path)
    if not hasattr(model, "backtest"):
        raise UsageError(f"explain with a file is for forecasters, and this is {named(model)}")
    (source,) = files_class(model.task).open_for(spec, model, say_note).load()
    which = asked["series"]
    found = model.explain(source, **asked | {"series": int(which) if which and which.isdigit() else which})
    say_notes(model.notes_)
    typer.echo("\n".join(found.lines()))
    if picture is not None:
        from loopcell.insight.plots import save_figure

        save_figure(found.plot().figure, picture)


def _write(cell: Cell, picture: Path) -> None:
    """Write the picture of a cell.

    Raises:
        UsageError: the file has another ending than .svg.
        FileWriteError: its folder is missing, or may not be written.
    """
    from loopcell.errors import UsageError
    from loopcell.files import atomic_write

    if picture.suffix.lower() != ".svg":
        raise UsageError(f"--picture writes SVG: name a file that ends in .svg, not {picture.name}")
    with atomic_write(picture) as temporary:
        temporary.write_text(cell.svg() + "\n", encoding="utf-8")
    typer.echo(f"wrote {picture}")
