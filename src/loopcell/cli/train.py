"""`loopcell train lm FILE...`: a language model from texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.file_lists import FilesCommand
from loopcell.cli.finish import report
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.train_estimators import VERBS
from loopcell.cli.train_series import SERIES_VERBS
from loopcell.cli.train_vectors import vectors
from loopcell.cli.values import demand_sizes, find_cell, parse_sizes, parse_time
from loopcell.tasks.language_model.settings import LanguageModelSettings

app = typer.Typer(help="Train a model.", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

# Names, field, kind, help, and how what is typed is read.
_ROWS: tuple[tuple[Any, ...], ...] = (
    ("--hidden", "hidden_size", int, "Length of the hidden state."),
    ("--layers", "num_layers", int, "Cells on top of each other."),
    ("--embedding", "embedding_size", int, "Length of a token's vector, else --hidden."),
    ("--dropout", "dropout", float, "After the embedding and after every layer."),
    ("--tied", "tied", bool, "The head reuses the embedding's matrix."),
    ("--size", "sizes", list[str], "A size that the cell names: proj=128.", parse_sizes),
    ("--tokens", "tokens", str, "char, byte, jamo, bpe or word."),
    ("--vocab-size", "vocabulary_size", int, "The most tokens in the vocabulary."),
    ("--val-fraction", "validation_fraction", float, "Without --val: hold out so much of the end."),
    ("--batch-size", "batch_size", int, "Lanes that each process reads side by side."),
    ("--chunk --seq-length", "chunk", int, "k1: time steps between two updates."),
    ("--bptt", "bptt", int, "k2: time steps that a gradient flows back, else k1."),
    ("--accumulate", "accumulate", int, "Stretches of k1 steps for one update."),
    ("--epochs", "epochs", int, "Passes over the text."),
    ("--steps", "updates", int, "Updates of the weights, in place of --epochs."),
    ("--time-limit", "time_limit", str, "For the whole command: 50m, 1h30m.", parse_time),
    ("--patience", "patience", int, "Stop after so many evaluations without gain."),
    ("--lr", "learning_rate", float, "The largest learning rate of AdamW."),
    ("--schedule", "schedule", str, "constant, linear or cosine."),
    ("--warmup", "warmup", int, "Updates until the full rate."),
    ("--clip", "clip", float, "Largest norm of the gradient; 0 for any."),
    ("--weight-decay", "weight_decay", float, "Decay of the matrices."),
    ("--log-every", "log_every", int, "Updates between two rows of metrics."),
    ("--save-every", "save_every", int, "Updates between two checkpoints."),
    ("--eval-every", "evaluate_every", int, "Updates between two evaluations, else an epoch."),
    ("--device", "device", str, "auto, cpu, cuda, cuda:N or mps."),
    ("--devices", "devices", int, "Processes to start, each with a device."),
    ("--precision", "precision", str, "32-true, 64-true, bf16-mixed or bf16-true."),
    ("--seed", "random_state", int, "Of everything that is drawn; else a fresh one."),
)
FLAGS = tuple(Flag(row[0], LanguageModelSettings, *row[1:]) for row in _ROWS)


@app.callback()
def _group() -> None:
    """Train a model."""


@app.command("lm", cls=FilesCommand)
@with_flags(FLAGS)
def lm(
    files: Annotated[list[Path], typer.Argument(help="The text; each file is one document.", metavar="FILE...")],
    cell: Annotated[str, typer.Option(help="A cell's name, or FILE.py:NAME for one of your own.")] = "lstm",
    val: Annotated[list[Path] | None, typer.Option("--val", help="Text to evaluate on; may be given again.")] = None,
    run: Annotated[Path | None, typer.Option(help="The run's folder, else a new one in runs/.")] = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Train a recurrent language model on texts."""
    with reporting(debug) as began:
        files, val = as_training_files(files, val)
        settings = Settings(FLAGS, typed)
        found = find_cell(cell)
        checked = settings.build(LanguageModelSettings, cell=found)
        checked.training_config(checked.seed())
        demand_sizes(found, checked)
        early.demand_tokens(checked.tokens)
        early.demand_texts((*files, *(val or ())))
        early.demand_free(run)
        from loopcell.tasks import LanguageModel
        from loopcell.tasks.language_model.run import train_language_model

        model = LanguageModel(**settings.given(LanguageModelSettings), cell=found, progress=True)
        model.began_ = began
        report(train_language_model(model, files, val or (), run))


for _verb, _command in {**VERBS, **SERIES_VERBS}.items():
    app.command(_verb, cls=FilesCommand)(_command)
app.command("vectors", cls=FilesCommand)(vectors)
