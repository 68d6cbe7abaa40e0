"""What stands in a language model's run folder, read back and held against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from loopcell.data import Vocabulary
from loopcell.data.text import TokenFile, vocabulary_from_json
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, quoted
from loopcell.tasks.core.model_file import HOSTILE, described
from loopcell.tasks.language_model.config import LanguageModelPlan
from loopcell.tasks.language_model.corpus import HeldOutFacts, check_tokens, open_token_files
from loopcell.tasks.language_model.model import TASK, LanguageModel
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.checkpoint import demand_fitting
from loopcell.training.run_folder import RunFolder


@dataclass(frozen=True)
class OpenedRun:
    """A run folder's content.

    Attributes:
        plan: what was asked for.
        cell: the equations of the recurrent layers.
        vocabulary: what a token is.
        training: the text to train on.
        held_out: the text to evaluate on, if any is held out.
        facts: what the score of that text needs.
    """

    plan: LanguageModelPlan
    cell: Cell
    vocabulary: Vocabulary
    training: TokenFile
    held_out: TokenFile | None
    facts: HeldOutFacts | None


def open_run(run: RunFolder) -> OpenedRun:
    """Read a run folder. The token files are read through once; nothing is allocated that is larger than a file.

    Raises:
        UsageError: it is not a run.
        DataError: a token file is missing.
        FileFormatError: a file of it is damaged, or belongs to another run.
    """
    config = run.read_config()
    plan, cell = read_plan(run, config)
    with described(run):
        facts = config["held_out"]
        training, held_out = open_token_files(run.tokens)
        opened = OpenedRun(
            plan=plan,
            cell=cell,
            vocabulary=vocabulary_from_json(run.read_json(run.vocabulary)),
            training=training,
            held_out=held_out,
            facts=HeldOutFacts.model_validate(facts) if facts else None,
        )
    for file in (training, held_out):
        if file is not None:
            check_tokens(file, opened.vocabulary)
    return opened


def read_plan(run: RunFolder, config: Mapping[str, Any]) -> tuple[LanguageModelPlan, Cell]:
    """Read what was asked for; FileFormatError when the config does not say it, or is of another task."""
    with described(run):
        if config["task"] != TASK:
            raise FileFormatError(f"{run.path} is the run of another task: {quoted(config['task'])}")
        return LanguageModelPlan.model_validate(config["plan"]), Cell.from_json(json.dumps(config["cell"]))


def check_checkpoint(run: RunFolder, opened: OpenedRun) -> None:
    """Hold the last checkpoint against what the rest of the folder asks for, before anything of that size is made.

    Raises:
        FileFormatError: the checkpoint is missing, damaged or of another run, or the sizes make no model.
    """
    try:
        with torch.device("meta"):
            model = LanguageModel(opened.cell, opened.vocabulary, opened.plan.model)
            demand_fitting(run.last, LanguageModelStep(model), opened.plan.training.batch_size)
    except FileFormatError:
        raise
    except HOSTILE as error:
        raise FileFormatError(f"{run.config} is damaged: no model can be made with its sizes") from error
