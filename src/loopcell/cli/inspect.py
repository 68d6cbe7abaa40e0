"""`loopcell inspect MODEL`: what happens inside a model while it reads one sequence, as a page."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from loopcell.cli import early
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.one_sequence import inspect_one
from loopcell.cli.values import find_model
from loopcell.errors import UsageError

Picture = Annotated[Path | None, typer.Option(help="Also a picture of all heat maps, for a paper.")]


def inspect(  # noqa: PLR0913 - one argument a flag
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    text: Annotated[str | None, typer.Option(help="The sequence, where it is a text.")] = None,
    data: Annotated[Path | None, typer.Option(help="A file with sequences, as the model was trained on.")] = None,
    row: Annotated[int, typer.Option(min=1, help="Which row of --data; of a table of time series, which series.")] = 1,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: the page.")] = Path(
        "inspection.html"
    ),
    window: Annotated[str | None, typer.Option("--part", help="Some steps only: 0:500, as slices count.")] = None,
    png: Picture = None,
    svg: Picture = None,
    npz: Annotated[Path | None, typer.Option(help="Also the arrays.")] = None,
    table: Annotated[Path | None, typer.Option(help="Also a row for every value: .parquet or .csv.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    debug: Debug = False,
) -> None:
    """Write a page that shows every gate at every step, and open it."""
    with reporting(debug):
        if (text is None) == (data is None):
            raise UsageError("one sequence is looked at: give --text TEXT, or --data FILE with --row NUMBER")
        part = _window(window)
        files = _files(output=output, png=png, svg=svg, npz=npz, table=table)
        early.demand_model(find_model(model))
        from loopcell.tasks.core.models import load_model

        loaded = load_model(find_model(model))
        seen = inspect_one(loaded, text, data, row)
        seen = seen if part is None else seen.window(*part)
        for path in files:
            seen.save(path)
            typer.echo(f"wrote {path}")
        if show:
            webbrowser.open(output.resolve().as_uri())


def _window(typed: str | None) -> tuple[int, int | None] | None:
    """Read a window such as 0:500 or 100: .

    Raises:
        UsageError: it is none.
    """
    if typed is None:
        return None
    start, _, end = typed.partition(":")
    if ":" not in typed or not all(not part or part.isdecimal() for part in (start, end)):
        raise UsageError(f"{typed!r} is no window of steps; write 0:500, 100: or :50")
    return int(start or 0), int(end) if end else None


def _files(**named: Path | None) -> list[Path]:
    """Return the files that are asked for, the page first.

    Raises:
        UsageError: one has another ending than its flag says.
    """
    endings: dict[str, tuple[str, ...]] = {name: (f".{name}",) for name in named}
    endings |= {"output": (".html",), "table": (".parquet", ".csv")}
    found = []
    for name, path in named.items():
        if path is None:
            continue
        if path.suffix.lower() not in endings[name]:
            raise UsageError(f"--{name} names a file that ends in {' or '.join(endings[name])}, not {path.name}")
        found.append(path)
    return found
