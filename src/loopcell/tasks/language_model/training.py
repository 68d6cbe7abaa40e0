"""Training a language model: a run folder from texts, and going on with one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console

from loopcell.data.text import Lanes, TokenFile
from loopcell.equations import Cell
from loopcell.errors import DataError, LoopcellError, TrainingError
from loopcell.tasks.language_model.config import LanguageModelPlan
from loopcell.tasks.language_model.corpus import (
    build_vocabulary,
    count_tokens,
    held_out_facts,
    open_token_files,
    split,
    write_token_files,
)
from loopcell.tasks.language_model.model import TASK, LanguageModel
from loopcell.tasks.language_model.run import OpenedRun, check_checkpoint, open_run, read_plan
from loopcell.tasks.language_model.score import Score, baseline_score, evaluation_lanes
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.config import RunLength, TrainingConfig, configure, in_time
from loopcell.training.hardware import start_fabric
from loopcell.training.loop import Outcome, Work
from loopcell.training.progress import working
from loopcell.training.randomness import seed_everything
from loopcell.training.run import train
from loopcell.training.run_folder import RunFolder, free_folder
from loopcell.training.run_lock import is_first_process, only_process

if TYPE_CHECKING:
    from lightning_fabric import Fabric


SCORING_SHARE = 0.05  # of a command's time limit


@dataclass(frozen=True)
class TrainedLanguageModel:
    """What came of a run.

    Attributes:
        run: its folder.
        outcome: how it ended.
        score: the best held-out score beside the baselines; None when nothing was held out.
        notes: what the user should know of how it went.
    """

    run: RunFolder
    outcome: Outcome
    score: Score | None
    notes: tuple[str, ...] = ()


def train_language_model(
    plan: LanguageModelPlan,
    cell: Cell,
    folder: Path | None = None,
    console: Console | None = None,
    began: float | None = None,
) -> TrainedLanguageModel:
    """Train a language model on texts and keep everything in a new run folder.

    Args:
        plan: what is asked for.
        cell: the equations of the recurrent layers.
        folder: the run folder, new or empty; None finds a new name under `runs/`.
        console: where progress is shown; None for nowhere.
        began: by `time.monotonic`, when the command began for all of which a time limit holds; None: for training.

    Raises:
        DataError: a text cannot be read, is empty or too short.
        UsageError: the folder is taken, or the sizes do not fit the cell.
        TrainingError: the loss is not finite; the message names the update.
        FileWriteError: the disk is full; the last checkpoint stays.
    """
    return _begin(plan, cell, folder, console, began)


def _begin(
    plan: LanguageModelPlan,
    cell: Cell,
    folder: Path | None,
    console: Console | None,
    began: float | None,
    *,
    anew: bool = False,
) -> TrainedLanguageModel:
    """Make a run and train; `anew` clears away what a run was killed over before it began."""
    fabric = start_fabric(plan.training.hardware)
    path, failure = "", None
    with ExitStack() as stack:
        if fabric.is_global_zero:
            try:
                if anew and folder:
                    RunFolder(folder).clear()
                with working(console, "reading the texts"):
                    path = str(_prepare(plan, cell, folder, stack).path)
            except LoopcellError as error:
                failure = error
        # The others wait here for the first process, and learn whether there is anything to do.
        path = fabric.broadcast(path)
        if not path:
            raise failure or TrainingError("the first process could not prepare the run")
        run = RunFolder(Path(path))
        return _run(run, _in_time(open_run(run), began), fabric, console, resumed=False)


def resume_language_model(
    folder: Path,
    longer: Mapping[str, Any] = MappingProxyType({}),
    console: Console | None = None,
    began: float | None = None,
) -> TrainedLanguageModel:
    """Go on with a run from its last checkpoint, as if it had never stopped.

    A run that was cut off before its first checkpoint starts from the beginning.

    Args:
        folder: the run folder.
        longer: the length of the whole run in place of what was asked for at first: epochs, updates, patience or
            time_limit (seconds).
        console: where progress is shown; None for nowhere.
        began: as for `train_language_model`.

    Raises:
        UsageError: the folder is not a run, another process trains there, or the run had another number of processes.
        DataError: a token file of the run is missing.
        FileFormatError: another file of the run is missing or damaged, or does not belong to it.
    """
    run = RunFolder(folder)
    config = run.read_config()
    with only_process(run):
        if not run.vocabulary.exists() and run.never_began():  # its texts were not read to their end
            plan, cell = read_plan(run, config)
            return _begin(_longer(plan, longer), cell, folder, console, began, anew=True)
        opened = open_run(run)
        if longer:
            opened = replace(opened, plan=_longer(opened.plan, longer))
            if is_first_process():
                run.write_json(run.config, {**config, "plan": opened.plan.model_dump(mode="json")})
        resumed = not run.never_began()
        if resumed:
            check_checkpoint(run, opened)
        else:
            run.make_folders()
        fabric = start_fabric(opened.plan.training.hardware)
        return _run(run, _in_time(opened, began), fabric, console, resumed=resumed)


def _in_time(opened: OpenedRun, began: float | None) -> OpenedRun:
    """The same run with so much less of its time limit as the command has spent, and a little for the scores."""
    limit = opened.plan.training.length.time_limit
    if began is None or limit is None:
        return opened
    training = in_time(opened.plan.training, time.monotonic() - began + SCORING_SHARE * limit)
    return replace(opened, plan=opened.plan.model_copy(update={"training": training}))


def _longer(plan: LanguageModelPlan, longer: Mapping[str, Any]) -> LanguageModelPlan:
    length = configure(RunLength, {**plan.training.length.model_dump(), **longer})
    return plan.model_copy(update={"training": plan.training.model_copy(update={"length": length})})


def _prepare(plan: LanguageModelPlan, cell: Cell, folder: Path | None, stack: ExitStack) -> RunFolder:
    """Read the texts and make the run folder, held for this process; on failure nothing is left of it.

    Its vocabulary is written last: a folder that has one is whole.
    """
    training, held_out = split(plan.text)
    vocabulary = build_vocabulary(plan.text, training)
    facts = held_out_facts(held_out, vocabulary) if held_out else None
    with torch.device("meta"):
        LanguageModel(cell, vocabulary, plan.model)  # sizes that do not fit the cell show here
    run = RunFolder(folder or free_folder(Path("runs"), f"{plan.text.files[0].stem}-{cell.name}"))
    stack.enter_context(only_process(run))
    asked_for = {
        "task": TASK,
        "plan": plan.model_dump(mode="json"),
        "held_out": facts.model_dump() if facts else None,
        "cell": json.loads(cell.to_json()),
    }
    RunFolder.create(run.path, asked_for)
    try:
        write_token_files(run.tokens, training, held_out, vocabulary)
        _demand_predictions(run)
        run.write_json(run.vocabulary, vocabulary.to_json())
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def _demand_predictions(run: RunFolder) -> None:
    for what, file in zip(("training", "held-out"), open_token_files(run.tokens), strict=True):
        if file and not evaluation_lanes(file).num_targets:
            raise DataError(f"the {what} text is too short: it takes two tokens of one document")


def _run(
    run: RunFolder, opened: OpenedRun, fabric: Fabric, console: Console | None, *, resumed: bool
) -> TrainedLanguageModel:
    """Train, from the start or from the last checkpoint."""
    config = opened.plan.training
    seed_everything(config.seed)
    model = LanguageModel(opened.cell, opened.vocabulary, opened.plan.model)
    model.token_counts.copy_(torch.from_numpy(count_tokens(opened.training)))
    work = Work(
        step=LanguageModelStep(model),
        chunks=_training_lanes(opened.training, config, fabric),
        validation=None
        if opened.held_out is None
        else evaluation_lanes(opened.held_out, fabric.global_rank, fabric.world_size),
        export=lambda: model.save(run.model),
    )
    outcome = train(work, config, fabric, run, console=console, resumed=resumed)
    return TrainedLanguageModel(run, outcome, _score(model, opened, outcome), _notes(outcome, config))


def _notes(outcome: Outcome, config: TrainingConfig) -> tuple[str, ...]:
    """Sentences about a run that had nothing left to do, or ended in its warm-up."""
    idle = tuple(filter(None, [outcome.idle]))
    if outcome.warm or outcome.reason == "interrupted":
        return idle
    note = (
        f"training ended in its warm-up, at update {outcome.position.update:,}, before the learning rate had reached "
        f"its height: try epochs={10 * config.length.epochs}, or smaller batches and chunks, for more updates"
    )
    return (*idle, note)


def _training_lanes(file: TokenFile, config: TrainingConfig, fabric: Fabric) -> Lanes:
    return Lanes(
        file.tokens,
        file.document_starts,
        batch_size=config.batch_size,
        chunk=config.truncation.chunk,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )


def _score(model: LanguageModel, opened: OpenedRun, outcome: Outcome) -> Score | None:
    best = outcome.position.best_loss
    if best is None or opened.held_out is None or opened.facts is None:
        return None
    return baseline_score(model, opened.held_out, opened.facts, best)
