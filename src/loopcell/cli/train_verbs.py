"""`loopcell train lm | classify | regress | tag | translate | chat | caption | forecast | anomaly | vectors FILE...`.

One table of verbs, and the one function that makes a command of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from loopcell.cli import early
from loopcell.cli.columns import (
    CAP,
    INPUT,
    LABEL,
    READING,
    SEPARATOR,
    STATIC,
    STEPS,
    UNIT_LABELS,
    UNIT_VALUES,
    VECTORS,
)
from loopcell.cli.finish import report
from loopcell.cli.flags import Flag, Settings, flags_of, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.standard_input import as_training_files
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import model_class, open_files
from loopcell.tasks.core.settings import ClassifierSettings, RegressorSettings, TaggerSettings
from loopcell.tasks.forecasting.settings import AnomalySettings, ForecasterSettings
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.tasks.seq2seq.settings import CaptionerSettings, ChatSettings, Seq2SeqSettings
from loopcell.tasks.word_vectors.settings import WordVectorSettings

Files = Annotated[
    list[Path],
    typer.Argument(help="Tables, JSON lines, archives, texts, a folder; or two arrays, X and y.", metavar="FILE..."),
]
Held = Annotated[list[Path] | None, typer.Option("--val", metavar="FILE", help="Files that are held out.")]
Run = Annotated[Path | None, typer.Option("--run", metavar="FOLDER", help="The run's folder, else a new one in runs/.")]


class Verb(NamedTuple):
    """One kind of model that the shell trains.

    Attributes:
        task: its name, as `loopcell.tasks.core.models` has it.
        settings: the class of its arguments.
        files: the flags that say how its files are read, and what their columns are.
        help: what the verb does.
    """

    task: str
    settings: type[Any]
    files: tuple[Flag, ...]
    help: str

    def flags(self) -> tuple[Flag, ...]:
        """Return all flags that set something: of the files, the model and its training."""
        return (*self.files, *flags_of(self.settings))


VERBS = {
    "lm": Verb("language-model", LanguageModelSettings, (), "Train a recurrent language model on texts."),
    "classify": Verb(
        "sequence-classifier",
        ClassifierSettings,
        (*READING, *INPUT, *LABEL, *SEPARATOR, *STEPS, *STATIC, *UNIT_VALUES, *UNIT_LABELS, *VECTORS),
        "Train a classifier: a label, or several, for each sequence. A row is a sequence, or a step of one.",
    ),
    "regress": Verb(
        "sequence-regressor",
        RegressorSettings,
        (*READING, *INPUT, *LABEL, *STEPS, *STATIC, *UNIT_VALUES, *CAP, *UNIT_LABELS, *VECTORS),
        "Train a regressor: a number for each sequence. A row is a sequence, or a step of one.",
    ),
    "tag": Verb(
        "sequence-tagger",
        TaggerSettings,
        (*READING, *INPUT, *LABEL, *STEPS, *STATIC, *UNIT_VALUES, *VECTORS),
        "Train a tagger: a label for each step. A row has lists of steps and labels, or is a step.",
    ),
    "translate": Verb(
        "seq2seq",
        Seq2SeqSettings,
        (*READING, *INPUT, *LABEL),
        "Train a Seq2Seq: a text for each text. Two files of lines, or a table with the columns named.",
    ),
    "chat": Verb(
        "chat",
        ChatSettings,
        (*READING, *INPUT, *LABEL),
        "Train a Chat: an answer to what was said. Two files of lines, or a table with the columns named.",
    ),
    "caption": Verb(
        "captioner",
        CaptionerSettings,
        (*READING, *INPUT, *LABEL),
        "Train a Captioner: a text for an image or a vector.",
    ),
    "forecast": Verb(
        "forecaster",
        ForecasterSettings,
        READING,
        "Train a forecaster: the next steps of time series. A row of the table is a step.",
    ),
    "anomaly": Verb(
        "anomaly-detector",
        AnomalySettings,
        READING,
        "Train a detector of anomalies on quiet time series. A row of the table is a step.",
    ),
    "vectors": Verb("word-vectors", WordVectorSettings, (*READING, *INPUT), "Learn a vector for each word of a text."),
}


def command_of(verb: Verb) -> Callable[..., None]:
    """Make the command of a verb."""
    flags = verb.flags()

    @with_flags(flags)
    def command(files: Files, val: Held = None, run: Run = None, *, debug: Debug = False, **typed: Any) -> None:
        with reporting(debug) as began:
            _train(verb, Settings(flags, typed), (files, val, run), began)

    command.__doc__ = verb.help
    return command


def _train(
    verb: Verb, settings: Settings, paths: tuple[list[Path], list[Path] | None, Path | None], began: float
) -> None:
    """Train what a verb asks for, as it was typed, and report. What needs no torch is checked before it is imported.

    Args:
        verb: the kind of model.
        settings: what was typed for it and for its files.
        paths: what to train on, what is held out, and the folder of the run.
        began: when the command did, by `time.monotonic`.
    """
    (data, val), folder = as_training_files(*paths[:2]), paths[2]
    checked = settings.build(verb.settings)
    early.demand_settings(checked)
    spec = settings.build(FileExamples, files=data, digits="tokens" in settings.given(verb.settings))
    early.demand_there(spec.vectors, "--vectors")
    early.demand_there(spec.unit_labels, "--unit-labels")
    early.demand_there(spec.statics, "--statics")
    if val and spec.unit_labels is not None:
        raise UsageError("--unit-labels is of one set of files, and there is --val too: put the labels into the tables")
    held_out = settings.build(FileExamples, files=val) if val else None
    opened = open_files(verb.task, checked, spec, held_out, say_note)
    early.demand_free(folder)
    from loopcell.tasks.core.from_files.run import train_on_files

    estimator = model_class(verb.task)(**settings.given(verb.settings), progress=True)
    report(train_on_files(estimator, *opened, folder, say_note, began=began))
