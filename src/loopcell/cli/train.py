"""`loopcell train lm FILE...`: a language model from texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.examples import epilog
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.finish import progress_console, report_language_model
from loopcell.cli.flags import Settings, flags_of, with_flags
from loopcell.cli.help_text import told
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.spelling import CELL
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.train_verbs import VERBS, Run, command_of
from loopcell.cli.values import demand_sizes, find_cell
from loopcell.tasks.language_model.config import LanguageModelConfig, TextConfig
from loopcell.training.config import (
    Hardware,
    Intervals,
    Optimization,
    RunLength,
    TrainingConfig,
    Truncation,
)

app = typer.Typer(help="Train a model.", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

FLAGS = (
    *flags_of(LanguageModelConfig),
    *flags_of(TextConfig),
    *flags_of(TrainingConfig),
    *flags_of(Truncation),
    *flags_of(RunLength),
    *flags_of(Optimization),
    *flags_of(Intervals),
    *flags_of(Hardware),
)


CellName = Annotated[str, typer.Option(metavar="CELL", help=told(CELL, lambda _: None).help)]


@app.callback()
def _group() -> None:
    """Train a model."""


@app.command("lm", cls=FilesCommand, epilog=epilog("train lm"))
@with_flags(FLAGS)
def lm(
    files: Annotated[list[Path], typer.Argument(help="The text; each file is one document.", metavar="FILE...")],
    cell: CellName = "lstm",
    run: Run = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Train a recurrent language model on texts."""
    with reporting(debug) as began:
        files, typed["held_out_files"] = as_training_files(files, typed["held_out_files"])
        settings = Settings(FLAGS, typed)
        configs = {
            "truncation": settings.build(Truncation),
            "optimization": settings.build(Optimization),
            "length": settings.build(RunLength),
            "intervals": settings.build(Intervals),
            "hardware": settings.build(Hardware),
        }
        training = settings.build(TrainingConfig, **configs)
        text = settings.build(TextConfig, files=files)
        model = settings.build(LanguageModelConfig)
        found = find_cell(cell)
        demand_sizes(found, model)
        early.demand_tokens(text.tokens)
        early.demand_texts((*text.files, *text.held_out_files))
        early.demand_free(run)
        from loopcell.tasks import LanguageModelPlan, train_language_model

        plan = LanguageModelPlan(text=text, model=model, training=training)
        report_language_model(train_language_model(plan, found, run, progress_console(), began))


for _name, _verb in VERBS.items():
    app.command(_name, cls=FilesCommand, epilog=epilog(f"train {_name}"))(command_of(_verb))
