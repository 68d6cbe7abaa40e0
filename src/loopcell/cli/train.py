"""`loopcell train lm FILE...`: a language model from texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.finish import progress_console, report
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.train_estimators import VERBS
from loopcell.cli.train_series import SERIES_VERBS
from loopcell.cli.train_vectors import vectors
from loopcell.cli.values import demand_sizes, find_cell, parse_sizes, parse_time
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
    Flag("--hidden", LanguageModelConfig, "hidden_size", int, "Length of the hidden state."),
    Flag("--layers", LanguageModelConfig, "num_layers", int, "Cells on top of each other."),
    Flag("--embedding", LanguageModelConfig, "embedding_size", int, "Length of a token's vector, else --hidden."),
    Flag("--dropout", LanguageModelConfig, "dropout", float, "After the embedding and after every layer."),
    Flag("--tied", LanguageModelConfig, "tied", bool, "The head reuses the embedding's matrix."),
    Flag("--size", LanguageModelConfig, "sizes", list[str], "A size that the cell names: proj=128.", parse_sizes),
    Flag("--tokens", TextConfig, "tokens", str, "char, byte, jamo, bpe or word."),
    Flag("--vocab-size", TextConfig, "vocabulary_size", int, "The most tokens in the vocabulary."),
    Flag("--val", TextConfig, "held_out_files", list[Path], "Text to evaluate on; may be given again."),
    Flag("--val-fraction", TextConfig, "held_out_fraction", float, "Without --val: hold out so much of the end."),
    Flag("--batch-size", TrainingConfig, "batch_size", int, "Lanes that each process reads side by side."),
    Flag("--chunk --seq-length", Truncation, "k1", int, "k1: time steps between two updates."),
    Flag("--bptt", Truncation, "k2", int, "k2: time steps that a gradient flows back, else k1."),
    Flag("--accumulate", Truncation, "accumulate", int, "Stretches of k1 steps for one update."),
    Flag("--epochs", RunLength, "epochs", int, "Passes over the text."),
    Flag("--steps", RunLength, "updates", int, "Updates of the weights, in place of --epochs."),
    Flag("--time-limit", RunLength, "time_limit", str, "For the whole command: 50m, 1h30m.", parse_time),
    Flag("--patience", RunLength, "patience", int, "Stop after so many evaluations without gain."),
    Flag("--lr", Optimization, "learning_rate", float, "The largest learning rate of AdamW."),
    Flag("--schedule", Optimization, "schedule", str, "constant, linear or cosine."),
    Flag("--warmup", Optimization, "warmup", int, "Updates until the full rate."),
    Flag("--clip", Optimization, "clip", float, "Largest norm of the gradient; 0 for any."),
    Flag("--weight-decay", Optimization, "weight_decay", float, "Decay of the matrices."),
    Flag("--log-every", Intervals, "log_every", int, "Updates between two rows of metrics."),
    Flag("--save-every", Intervals, "save_every", int, "Updates between two checkpoints."),
    Flag("--eval-every", Intervals, "evaluate_every", int, "Updates between two evaluations, else an epoch."),
    Flag("--device", Hardware, "device", str, "auto, cpu, cuda, cuda:N or mps."),
    Flag("--devices", Hardware, "devices", int, "Processes to start, each with a device."),
    Flag("--precision", Hardware, "precision", str, "32-true, 64-true, bf16-mixed or bf16-true."),
    Flag("--seed", TrainingConfig, "seed", int, "Of everything that is drawn."),
)


@app.callback()
def _group() -> None:
    """Train a model."""


@app.command("lm", cls=FilesCommand)
@with_flags(FLAGS)
def lm(
    files: Annotated[list[Path], typer.Argument(help="The text; each file is one document.", metavar="FILE...")],
    cell: Annotated[str, typer.Option(help="A cell's name, or FILE.py:NAME for one of your own.")] = "lstm",
    run: Annotated[Path | None, typer.Option(help="The run's folder, else a new one in runs/.")] = None,
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
        report(train_language_model(plan, found, run, progress_console(), began))


for _verb, _command in {**VERBS, **SERIES_VERBS}.items():
    app.command(_verb, cls=FilesCommand)(_command)
app.command("vectors", cls=FilesCommand)(vectors)
