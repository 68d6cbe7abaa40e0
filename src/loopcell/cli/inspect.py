"""`loopcell inspect MODEL`: what happens inside a model while it reads one sequence, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.flags import Settings, with_flags
from loopcell.cli.inspect_corpus import FLAGS, CorpusSearch, searched
from loopcell.cli.inspect_files import files_of, write
from loopcell.cli.inspect_sequence import asked_sequence, load_for, window_of
from loopcell.cli.reporting import Debug, reporting
from loopcell.errors import UsageError

Picture = Annotated[Path | None, typer.Option(help="Also a picture, for a paper.")]


@with_flags(FLAGS)
def inspect(  # noqa: PLR0913 - one argument a flag
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    text: Annotated[str | None, typer.Option(help="The sequence, where it is a text.")] = None,
    data: Annotated[Path | None, typer.Option(help="A file with sequences, as the model was trained on.")] = None,
    row: Annotated[int, typer.Option(min=1, help="Which row of --data.")] = 1,
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
    **typed: Any,
) -> None:
    """Write a page that shows every gate at every step, and open it; or look through a corpus."""
    with reporting(debug):
        search = Settings(FLAGS, typed).build(CorpusSearch)
        search.demand_complete()
        sequence = asked_sequence(text, data, row)
        if sequence is None and search.corpus is None:
            raise UsageError("one sequence is looked at: give --text TEXT, or --data FILE with --row NUMBER")
        part = window_of(window)
        files = files_of({"output": output, "png": png, "svg": svg, "npz": npz, "table": table})
        loaded = load_for(model, "inspect")
        seen = searched(loaded, search, sequence)
        if seen is not None:
            write(seen if part is None else seen.window(*part), files, show=show)
