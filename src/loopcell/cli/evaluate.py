"""`loopcell eval MODEL FILE`: how good a model is, beside naive baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.score_table import print_score, print_table
from loopcell.cli.train_estimators import INPUT, LABEL, SEPARATOR, STEPS
from loopcell.cli.values import find_model
from loopcell.tasks.config import FileExamples

FLAGS: tuple[Flag, ...] = (INPUT, LABEL, SEPARATOR, *STEPS)


@with_flags(FLAGS)
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="A text for a language model, else examples.", metavar="FILE...")],
    train: Annotated[
        list[Path] | None, typer.Option("--train", help="Training data, for baselines that have to learn.")
    ] = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Print the metrics of the model's task, beside those of baselines."""
    with reporting(debug):
        from loopcell.tasks import LanguageModel, WordVectors, score_files
        from loopcell.tasks.models import load_model

        loaded = load_model(find_model(model))
        if isinstance(loaded, LanguageModel):
            print_score(score_files(loaded, files), "text")
            return
        from loopcell.tasks.estimator_run import evaluate_files
        from loopcell.tasks.file_examples import load_inputs

        data = Settings(FLAGS, typed).build(FileExamples, files=files)
        if isinstance(loaded, WordVectors):
            print_table(loaded.evaluate(load_inputs(data).X))
            return
        known = data.model_copy(update={"files": tuple(train)}) if train else None
        print_table(evaluate_files(loaded, data, known))
