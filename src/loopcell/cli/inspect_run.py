"""`loopcell inspect RUN` without a sequence: the page of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopcell.errors import UsageError
from loopcell.training.run_folder import RunFolder


def asked_run(folder: Path, others: Sequence[str]) -> Any:
    """Return the record of a run, which has an `html` and a `save`.

    Args:
        folder: what was typed in the place of the model.
        others: the names of further flags that were given.

    Raises:
        UsageError: it is a model file, or no run's folder, or the run has no row of metrics yet; or a flag says nothing
            to the page of a run.
    """
    if not folder.is_dir():
        raise UsageError(
            "one sequence is looked at: give --text TEXT, or --data FILE with --row NUMBER; or in place of the model "
            "file the folder of a run, whose page needs none"
        )
    if others:
        raise UsageError(f"--{others[0]} says nothing to the page of a run; --text or --data look into its model")
    RunFolder(folder).read_config()  # before torch is imported: whether it is a run
    from loopcell.tasks.core.models import open_run

    return open_run(folder)
