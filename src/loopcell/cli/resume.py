"""`loopcell resume RUN`: go on with a run that ended or was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loopcell.cli.finish import report, report_estimator
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.train_series import SERIES_TASKS
from loopcell.cli.values import parse_time


def resume(
    run: Annotated[Path, typer.Argument(help="The folder of the run.")],
    time_limit: Annotated[
        str | None, typer.Option(help="For the whole run, such as 2h, in place of what it was started with.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes of the whole run, in place of what it was.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Updates of the whole run of a language model, in place of --epochs.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Evaluations without gain that end it, in place of what it was.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Go on from the last checkpoint, as if the run had never stopped; before the first one, from the beginning."""
    with reporting(debug) as began:
        seconds = None if time_limit is None else parse_time(time_limit)
        asked = {"time_limit": seconds, "epochs": epochs, "updates": steps, "patience": patience}
        longer = {name: value for name, value in asked.items() if value is not None}
        from loopcell.training.run_folder import RunFolder

        task = str(RunFolder(run).read_config().get("task"))
        if task == "language-model":
            from loopcell.tasks.language_model.run import resume_language_model

            report(resume_language_model(run, longer, began=began))
        elif task in SERIES_TASKS:
            from loopcell.tasks.forecasting.run import resume_series

            report_estimator(resume_series(run, longer, say_note, began=began))
        else:
            from loopcell.tasks.core.from_files.run import resume_estimator

            report_estimator(resume_estimator(run, longer, say_note, began=began))
