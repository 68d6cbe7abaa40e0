"""The seed of a fit: given, drawn, or that of the run which goes on."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from loopcell.errors import quoted
from loopcell.tasks.core.model_file import described
from loopcell.training.config import MOST_SEEDS
from loopcell.training.run_folder import RunFolder


def seed_of(settings: Any, run: str | PathLike[str] | None, *, resumed: bool) -> int:
    """Return the seed to fit with.

    Args:
        settings: with `random_state`; of None a fresh seed is drawn.
        run: the folder of the run, if there is one.
        resumed: whether it goes on; its seed is then in its config, and None stands for that.

    Raises:
        UsageError: the folder is not one of a run.
        FileFormatError: its config is damaged.
    """
    if not resumed or run is None or settings.random_state is not None:
        found: int = settings.seed()
        return found
    folder = RunFolder(Path(run))
    with described(folder):
        return demand_seed(folder.read_config()["seed"])


def demand_seed(stored: object) -> int:
    """Return a seed that a file holds; ValueError when it is none."""
    if type(stored) is not int or not 0 <= stored < MOST_SEEDS:
        raise ValueError(f"its seed is {quoted(stored)}")
    return stored
