"""`loopcell train vectors FILE...`: word vectors from texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.file_flags import INPUT, READING
from loopcell.cli.finish import report_vectors
from loopcell.cli.flags import Flag, Settings, with_flags
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.standard_input import as_training_files
from loopcell.cli.values import parse_lengths
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.word_vectors.settings import WordVectorSettings

# Names, field, kind, help, and how what is typed is read.
_ROWS: tuple[tuple[Any, ...], ...] = (
    ("--size", "vector_size", int, "Length of a vector."),
    ("--cbow", "cbow", bool, "From those around a word to it, and not the other way round (skip-gram)."),
    ("--window", "window", int, "The most words to each side."),
    ("--negatives", "negatives", int, "Noise words for each word that is foretold."),
    ("--noise-power", "noise_power", float, "Noise words are drawn by their count to this power."),
    ("--subsampling", "subsampling", float, "Words of a larger share are left out now and then; 0 keeps all."),
    ("--min-count", "min_count", int, "Words that are there less often have no vector."),
    ("--vocab-size", "vocabulary_size", int, "The most words."),
    ("--ngrams", "ngrams", str, "N-grams of letters have vectors too: 3-6.", parse_lengths),
    ("--buckets", "buckets", int, "Vectors that the n-grams share."),
    ("--jamo", "jamo", bool, "N-grams of the letters of Hangul syllables."),
    ("--lower", "lower", bool, "Take texts in lower case."),
    ("--epochs", "epochs", int, "Passes over the text."),
    ("--lr", "learning_rate", float, "The learning rate at the start."),
    ("--last-lr", "last_learning_rate", float, "The learning rate at the end."),
    ("--workers", "workers", int, "Threads; with more than one no two runs are alike."),
    ("--seed", "random_state", int, "Of everything that is drawn; else a fresh one."),
)
FLAGS = (*READING, INPUT, *(Flag(row[0], WordVectorSettings, *row[1:]) for row in _ROWS))


@with_flags(FLAGS)
def vectors(
    files: Annotated[list[Path], typer.Argument(help="Texts, a sentence a line; or tables.", metavar="FILE...")],
    val: Annotated[list[Path] | None, typer.Option("--val", help="Texts to score the vectors on.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="The run's folder, else a new one in runs/.")] = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Learn a vector for each word of a text."""
    with reporting(debug):
        settings = Settings(FLAGS, typed)
        files, val = as_training_files(files, val)
        data = settings.build(FileExamples, files=files)
        settings.build(WordVectorSettings)
        held_out = data.model_copy(update={"files": tuple(val)}) if val else None
        early.demand_free(run)
        early.demand_rows(data, held_out)
        from loopcell.tasks import WordVectors
        from loopcell.tasks.word_vectors.run import learn_vectors

        estimator = WordVectors(**settings.given(WordVectorSettings), progress=True)
        report_vectors(learn_vectors(estimator, data, held_out, run, say_note))
