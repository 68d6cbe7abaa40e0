"""`loopcell eval MODEL FILE`: how good a model is, beside naive baselines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.file_flags import INPUT, LABEL, READING, SEPARATOR, STEPS
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.predict import is_of_series, series_source
from loopcell.cli.reporting import Debug, reporting, say_note, say_notes
from loopcell.cli.score_table import print_score, print_table
from loopcell.cli.standard_input import as_files
from loopcell.cli.values import find_model
from loopcell.tasks.core.from_files.config import FileExamples

FLAGS: tuple[Flag, ...] = (*READING, INPUT, LABEL, SEPARATOR, *STEPS)


@with_flags(FLAGS)
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="A text for a language model, else examples.", metavar="FILE...")],
    train: Annotated[
        list[Path] | None, typer.Option("--train", help="Training data, for baselines that have to learn.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Series: the first time, or number of a step, that counts.")
    ] = None,
    stride: Annotated[int, typer.Option("--stride", help="Series: steps from one forecast to the next.")] = 1,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Print the metrics of the model's task, beside those of baselines."""
    with reporting(debug):
        files, train = as_files(files, train)
        if early.demand_model(find_model(model)) == "language-model":
            early.demand_texts(files)
        else:
            early.demand_rows(Settings(FLAGS, typed).build(FileExamples, files=files))
        from loopcell.tasks import LanguageModel, WordVectors
        from loopcell.tasks.core.models import load_model

        loaded = load_model(find_model(model))
        if isinstance(loaded, LanguageModel):
            print_score(loaded.evaluate(files), "text")
            return
        settings = Settings(FLAGS, typed)
        data = settings.build(FileExamples, files=files)
        if is_of_series(loaded):
            table = loaded.evaluate(series_source(loaded, data), **_places(loaded, start, stride))
            say_notes(loaded.notes_)
            print_table(table)
            return
        from loopcell.tasks.core.from_files.examples import as_pair, as_trained, load_inputs
        from loopcell.tasks.core.from_files.run import evaluate_files

        data = as_pair(as_trained(data, loaded.columns_), texts=hasattr(loaded, "target_"))
        if isinstance(loaded, WordVectors):
            print_table(loaded.evaluate(load_inputs(data, say_note)))
            return
        known = settings.build(FileExamples, files=train, paired=data.paired) if train else None
        known = known and as_trained(known, loaded.columns_)
        print_table(evaluate_files(loaded, data, known, say_note))


def _places(model: Any, start: str | None, stride: int) -> dict[str, Any]:
    """Where in a series scores begin: a time, or a number of a step; and for forecasts how they go on."""
    first = int(start) if start is not None and re.fullmatch(r"-?\d+", start) else start
    return {"start": first, "stride": stride} if hasattr(model, "backtest") else {"start": first}
