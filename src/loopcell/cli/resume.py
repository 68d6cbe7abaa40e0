"""`loopcell resume RUN`: go on with a run that ended or was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.finish import report
from loopcell.cli.flags import Settings, flags_of, otherwise, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.training.config import RunLength
from loopcell.training.run_folder import RunFolder

FLAGS = otherwise(flags_of(RunLength), "as the run was started")


@with_flags(FLAGS)
def resume(
    run: Annotated[Path, typer.Argument(help="The folder of the run.")], *, debug: Debug = False, **typed: Any
) -> None:
    """Go on from the last checkpoint, as if the run had never stopped; before the first one, from the beginning.

    What is said of its length holds for the whole run.
    """
    with reporting(debug) as began:
        settings = Settings(FLAGS, typed)
        settings.build(RunLength)  # names the flag that is out of its bounds
        longer = settings.given(RunLength)
        RunFolder(run).read_config()  # before torch is imported: whether it is a run
        from loopcell.tasks.core.from_files.run import resume as resume_run

        report(resume_run(run, longer, say_note, began=began))
