"""`loopcell resume RUN`: go on with a run that ended or was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loopcell.cli.finish import progress_console, report, report_estimator
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.train_series import SERIES_TASKS
from loopcell.cli.values import parse_time


def resume(
    run: Annotated[Path, typer.Argument(help="The folder of the run.")],
    time_limit: Annotated[
        str | None, typer.Option(help="For the whole run, such as 2h, in place of what it was started with.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Go on from the last checkpoint, as if the run had never stopped; before the first one, from the beginning."""
    with reporting(debug):
        seconds = None if time_limit is None else parse_time(time_limit)
        from loopcell.training.run_folder import RunFolder

        task = str(RunFolder(run).read_config().get("task"))
        if task == "language-model":
            from loopcell.tasks import resume_language_model

            report(resume_language_model(run, seconds, progress_console()))
        elif task in SERIES_TASKS:
            from loopcell.tasks.series_run import resume_series

            report_estimator(resume_series(run, seconds, say_note))
        else:
            from loopcell.tasks.estimator_run import resume_estimator

            report_estimator(resume_estimator(run, seconds, say_note))
