"""One run from its first update, or from its last checkpoint, to its end, with those who watch it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from loopcell.training.config import TrainingConfig
from loopcell.training.loop import Outcome, Trainer, Work
from loopcell.training.machine import machine_facts
from loopcell.training.metrics import MetricsLog
from loopcell.training.progress import ProgressDisplay
from loopcell.training.report import Observer
from loopcell.training.run_folder import RunFolder
from loopcell.training.run_lock import only_process
from loopcell.training.step import ChunkT, StateT

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    work: Work[ChunkT, StateT],
    config: TrainingConfig,
    fabric: Fabric,
    run: RunFolder | None,
    *,
    console: Console | None = None,
    resumed: bool = False,
) -> Outcome:
    """Train to the end; errors as `Trainer.fit` and `Trainer.resume`.

    Args:
        work: what to train on what.
        config: how.
        fabric: the device and the processes.
        run: the folder for checkpoints and curves; None keeps neither.
        console: where progress is shown; None for nowhere.
        resumed: go on from the folder's last checkpoint.
    """
    observers: list[Observer] = [*work.observers]
    with ExitStack() as stack:
        if run:
            stack.enter_context(only_process(run))
        trainer = Trainer(replace(work, observers=observers), config, fabric, run)
        if resumed:
            trainer.resume()
        if fabric.is_global_zero:
            update = trainer.position.update
            if run:
                run.write_json(run.machine, machine_facts(fabric.device, config.hardware.precision))
                observers.append(stack.enter_context(MetricsLog(run, update if resumed else None)))
            if console:
                display = ProgressDisplay(console, trainer.total_updates, update, config.length.time_limit)
                observers.append(stack.enter_context(display))
        return trainer.fit()
