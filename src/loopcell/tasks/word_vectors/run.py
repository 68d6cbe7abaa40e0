"""Learn word vectors from files and keep them in a run folder: what the command line does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import Tell, load_inputs, untold
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.word_vectors.estimator import WordVectors
from loopcell.training.run_folder import RunFolder, free_folder


@dataclass(frozen=True)
class LearnedVectors:
    """The result of a run.

    Attributes:
        run: its folder.
        vectors: learned, or as far as that came when it was interrupted.
        score: of held-out text; None where there is none.
        notes: what the user should know about the words; what there is to know of files was told when they were read.
    """

    run: RunFolder
    vectors: WordVectors
    score: ScoreTable | None
    notes: tuple[str, ...]


def learn_vectors(
    vectors: WordVectors,
    data: FileExamples,
    held_out: FileExamples | None,
    folder: Path | None,
    tell: Tell = untold,
) -> LearnedVectors:
    """Learn vectors from files and keep them in a new folder.

    Args:
        vectors: with its arguments, not fitted.
        data: the text.
        held_out: text to score on; None for no score.
        folder: new or empty; None finds a new name under `runs/`.
        tell: called with what the user should know of the text and how it is read, before anything is learned.

    Raises:
        DataError: a file cannot be read; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
    """
    run = RunFolder(folder or free_folder(Path("runs"), f"{data.files[0].stem}-vectors"))
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise UsageError(f"{run.path} already exists and is not empty; name another folder")
    X = load_inputs(data, tell)
    rest = load_inputs(held_out, tell) if held_out else None
    vectors.columns_ = data.columns
    try:
        with vectors.telling(tell):
            vectors.fit(X)
    except KeyboardInterrupt:
        if not hasattr(vectors, "network_"):
            raise
    run.path.mkdir(parents=True, exist_ok=True)
    vectors.save(run.model)
    score = vectors.evaluate(rest) if rest is not None and vectors.outcome_.reason == "complete" else None
    if score:
        run.write_json(run.path / "score.json", score.to_json())
    return LearnedVectors(run, vectors, score, tuple(vectors.notes_))
