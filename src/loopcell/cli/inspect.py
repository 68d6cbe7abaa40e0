"""`loopcell inspect MODEL` and `loopcell inspect RUN`: what happens inside a model, or became of a run, as a page.

Which page is meant goes by what is typed: with a sequence it is that of the sequence, or with --gradients that of its
gradient; without one it is that of the run whose folder is named.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.flags import Settings, with_flags
from loopcell.cli.inspect_corpus import FLAGS, CorpusSearch, searched
from loopcell.cli.inspect_files import files_of, write
from loopcell.cli.inspect_gradients import asked_flow, demand_gradients
from loopcell.cli.inspect_live import write_live
from loopcell.cli.inspect_run import asked_run
from loopcell.cli.inspect_sequence import asked_sequence, load_for, title_of, window_of
from loopcell.cli.reporting import Debug, reporting
from loopcell.errors import UsageError

Picture = Annotated[Path | None, typer.Option(help="Also a picture, for a paper.")]


@with_flags(FLAGS)
def inspect(  # noqa: PLR0913 - one argument a flag
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of a run.")],
    text: Annotated[str | None, typer.Option(help="The sequence, where it is a text.")] = None,
    data: Annotated[Path | None, typer.Option(help="A file with sequences, as the model was trained on.")] = None,
    row: Annotated[int, typer.Option(min=1, help="Which row of --data; of a table of time series, which series.")] = 1,
    *,
    gradients: Annotated[bool, typer.Option("--gradients", help="How the gradient flows back through it.")] = False,
    treatment: Annotated[
        str | None, typer.Option(help="With --gradients also after orthogonal, chrono or clip.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write: the page; else inspection.html, gradients.html or run.html."
        ),
    ] = None,
    window: Annotated[str | None, typer.Option("--part", help="Some steps only: 0:500, as slices count.")] = None,
    png: Picture = None,
    svg: Picture = None,
    npz: Annotated[Path | None, typer.Option(help="Also the arrays.")] = None,
    table: Annotated[Path | None, typer.Option(help="Also a row for every value: .parquet or .csv.")] = None,
    live: Annotated[bool, typer.Option("--live", help="A page that runs a language model on what is typed.")] = False,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    debug: Debug = False,
    **asked: Any,
) -> None:
    """Write a page, and open it: of every gate at every step of a sequence, of its gradient, or of a run.

    With --text or --data it shows what a model does while it reads that sequence. The folder of a run alone shows the
    run: its curves, its layers over the updates, and why it failed where it did. With --corpus it looks through many
    sequences for a pattern of units, or for units that track something.
    """
    with reporting(debug):
        search = Settings(FLAGS, asked).build(CorpusSearch)
        search.demand_complete({"gradients": gradients, "live": live})
        beside = {"png": png, "svg": svg, "npz": npz, "table": table}
        if live:
            write_live(model, text, output or Path("live.html"), {"data": data, "part": window, **beside}, show=show)
            return
        sequence = asked_sequence(text, data, row)
        if treatment is not None and not gradients:
            raise UsageError("--treatment is tried on a gradient: give --gradients too")
        if gradients:
            sequence = demand_gradients(sequence, treatment, window, table)
            files = files_of({"output": output or Path("gradients.html"), **beside})
            seen = asked_flow(model, sequence, treatment)
        elif sequence is None and search.corpus is None:
            files = files_of({"output": output or Path("run.html")})
            seen = asked_run(model, [name for name, typed in {**beside, "part": window}.items() if typed is not None])
        else:
            search.demand_shown({"output": output, **beside, "part": window}, sequence)
            part = window_of(window)
            files = files_of({"output": output or Path("inspection.html"), **beside})
            loaded = load_for(model, "inspect")
            found = searched(loaded, search, sequence)
            if found is None:
                return
            found = replace(found, title=title_of(loaded, model))
            seen = found if part is None else found.window(*part)
        write(seen, files, show=show)
