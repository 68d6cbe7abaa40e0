"""`loopcell train classify | regress | tag | translate | chat | caption FILE...`: estimators from files of examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.estimator_flags import flags_of
from loopcell.cli.file_flags import INPUT, LABEL, READING, SEPARATOR, STEPS, VECTORS
from loopcell.cli.finish import report_estimator
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.values import demand_sizes, find_cell
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.settings import ClassifierSettings, NetworkSettings, RegressorSettings, TaggerSettings
from loopcell.tasks.seq2seq.settings import CaptionerSettings, ChatSettings, Seq2SeqSettings

Files = Annotated[
    list[Path],
    typer.Argument(help="Tables, JSON lines, archives, a folder; or two arrays, X and y.", metavar="FILE..."),
]
Held = Annotated[list[Path] | None, typer.Option("--val", help="Files to choose the best weights by.")]
CellName = Annotated[str, typer.Option("--cell", help="A cell's name, or FILE.py:NAME for one of your own.")]
Run = Annotated[Path | None, typer.Option("--run", help="The run's folder, else a new one in runs/.")]

CLASSIFY = (*READING, INPUT, LABEL, SEPARATOR, *VECTORS, *flags_of(ClassifierSettings))
REGRESS = (*READING, INPUT, LABEL, *VECTORS, *flags_of(RegressorSettings))
TAG = (*READING, INPUT, LABEL, *STEPS, *VECTORS, *flags_of(TaggerSettings))
TRANSLATE = (*READING, INPUT, LABEL, *flags_of(Seq2SeqSettings))
CHAT = (*READING, INPUT, LABEL, *flags_of(ChatSettings))
CAPTION = (*READING, INPUT, LABEL, *flags_of(CaptionerSettings))


@with_flags(CLASSIFY)
def classify(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a classifier: a label, or several, for each sequence."""
    with reporting(debug) as began:
        _train(began, "sequence-classifier", ClassifierSettings, (CLASSIFY, typed), (files, val, cell, run))


@with_flags(REGRESS)
def regress(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a regressor: a number for each sequence."""
    with reporting(debug) as began:
        _train(began, "sequence-regressor", RegressorSettings, (REGRESS, typed), (files, val, cell, run))


@with_flags(TAG)
def tag(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a tagger: a label for each step. A row has lists of steps and labels, or is a step."""
    with reporting(debug) as began:
        _train(began, "sequence-tagger", TaggerSettings, (TAG, typed), (files, val, cell, run))


@with_flags(TRANSLATE)
def translate(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a Seq2Seq: a text for each text. Two files of lines, or a table with the columns named."""
    with reporting(debug) as began:
        _train(began, "seq2seq", Seq2SeqSettings, (TRANSLATE, typed), (files, val, cell, run))


@with_flags(CHAT)
def chat(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a Chat: an answer to what was said. Two files of lines, or a table with the columns named."""
    with reporting(debug) as began:
        _train(began, "chat", ChatSettings, (CHAT, typed), (files, val, cell, run))


@with_flags(CAPTION)
def caption(
    files: Files, val: Held = None, cell: CellName = "lstm", run: Run = None, *, debug: Debug = False, **typed: Any
) -> None:
    """Train a Captioner: a text for an image or a vector."""
    with reporting(debug) as began:
        _train(began, "captioner", CaptionerSettings, (CAPTION, typed), (files, val, cell, run))


VERBS: dict[str, Callable[..., None]] = {
    "classify": classify,
    "regress": regress,
    "tag": tag,
    "translate": translate,
    "chat": chat,
    "caption": caption,
}


def _train(
    began: float,
    task: str,
    kind: type[NetworkSettings],
    typed: tuple[tuple[Flag, ...], dict[str, Any]],
    given: tuple[list[Path], list[Path] | None, str, Path | None],
) -> None:
    """Train the estimator of a task as it was typed, and report."""
    files, val, cell, run = given
    settings = Settings(*typed)
    files, val = as_training_files(files, val)
    data = settings.build(FileExamples, files=files, digits=typed[1].get("tokens") is not None)
    found = find_cell(cell)
    checked = settings.build(kind, cell=found)
    demand_sizes(found, checked)
    early.demand_settings(checked)
    early.demand_there(data.vectors, "--vectors")
    from loopcell.tasks.core.from_files.examples import as_pair

    data = as_pair(data, texts=issubclass(kind, Seq2SeqSettings))
    held_out = settings.build(FileExamples, files=val, paired=data.paired) if val else None
    early.demand_columns(data, held_out)
    early.demand_free(run)
    from loopcell.tasks.core.from_files.run import train_estimator
    from loopcell.tasks.core.models import model_class

    estimator = model_class(task)(**settings.given(kind), cell=found, progress=True)
    estimator.began_ = began
    report_estimator(train_estimator(estimator, data, held_out, run, say_note))
