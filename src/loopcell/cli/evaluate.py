"""`loopcell eval MODEL FILE`: how good a model is, beside naive baselines."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.columns import CAP, INPUT, LABEL, LAST, READING, SEPARATOR, STATIC, STEPS, UNIT_LABELS, UNIT_VALUES
from loopcell.cli.flags import Flag, Settings, flags_of, with_flags
from loopcell.cli.plot_file import Plot, demand_plot, save_confusion
from loopcell.cli.reporting import Debug, reporting, say_note, say_notes
from loopcell.cli.score_table import print_scores
from loopcell.cli.standard_input import as_files
from loopcell.cli.values import find_model, named
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import files_class, load_model
from loopcell.tasks.forecasting.settings import BacktestChoice

FLAGS: tuple[Flag, ...] = (
    *(*READING, *INPUT, *LABEL, *SEPARATOR),
    *(*STEPS, *STATIC, *UNIT_VALUES, *LAST, *CAP, *UNIT_LABELS),
    *flags_of(BacktestChoice),
)


@with_flags(FLAGS)
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="A text for a language model, else examples.", metavar="FILE...")],
    train: Annotated[
        list[Path] | None,
        typer.Option("--train", metavar="FILE", help="Training data, for baselines that have to learn."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Series: the first time, or number of a step, that counts.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="Series: the first time, or number of a step, that counts no more.")
    ] = None,
    plot: Plot = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Print the metrics of the model's task, beside those of baselines."""
    with reporting(debug):
        demand_plot(plot)
        files, train = as_files(files, train)
        settings = Settings(FLAGS, typed)
        task = early.demand_model(find_model(model))
        stride = settings.given(FileExamples).get("stride")
        of_forecasts = {} if files_class(task).cuts_windows else {"stride": None}
        data = settings.build(FileExamples, files=files, **of_forecasts)
        files_class(task).demand(data)
        # Labels of units, and the choice of the last window, are of what is scored.
        of_scored = {"last": False, "unit_labels": None}
        known = settings.build(FileExamples, files=train, **of_forecasts, **of_scored) if train else None
        said = {"start": _place(start), "end": _place(end), "stride": stride if of_forecasts else None}
        said |= settings.given(BacktestChoice)
        table = _evaluate(task, load_model(find_model(model)), (data, known), said)
        if plot is not None:
            save_confusion(table, plot)


def _evaluate(task: str, model: Any, specs: tuple[FileExamples, FileExamples | None], said: dict[str, Any]) -> Any:
    """Open the files as the model's job does, print what its model says of them, and return the table."""
    kind, (data, known) = files_class(task), specs
    if getattr(model, "slow_to_evaluate", False):
        model.set_params(progress=True)
    if known is not None:
        said["training"] = kind.open_for(known, model, _told_of(known.files)).load()
    opened = kind.open_for(data, model, say_note)
    table = model.evaluate(*opened.load(), **_accepted(model, said))
    say_notes(getattr(model, "notes_", ()))
    print_scores(table, task)
    return table


def _told_of(files: Sequence[Path]) -> Callable[[str], None]:
    """Return what says a note with the files of training in front: those that are scored have notes of their own."""
    names = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
    return lambda note: say_note(note if names in note else f"{names}: {note}")


def _accepted(model: Any, said: dict[str, Any]) -> dict[str, Any]:
    """Return what was said; UsageError where the model's job has no use for it."""
    there = {name: value for name, value in said.items() if value is not None}
    for name in there:
        if name not in inspect.signature(model.evaluate).parameters:
            flag = "--train" if name == "training" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} says nothing to {named(model)}; leave it out")
    return there


def _place(start: str | None) -> Any:
    """Return where in a series scores begin or end: a time, or a number of a step."""
    return int(start) if start is not None and re.fullmatch(r"-?\d+", start) else start
