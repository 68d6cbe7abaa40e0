"""Files of examples: sequences, and what is known of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from loopcell.data.from_tables import demand_long_enough
from loopcell.tasks.core.from_files.column_choice import demand_sequences
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import (
    Loaded,
    OpenedExamples,
    as_pair,
    as_trained,
    load_opened,
    open_examples,
)
from loopcell.tasks.core.from_files.long_tables import column_of, units_of, with_statics
from loopcell.tasks.core.from_files.opened import OpenedFiles, Tell, untold


class ExampleFiles(OpenedFiles):
    """Tables, JSON lines, archives, class folders, pairs of files: a row is an example, or a step of one."""

    cuts_windows: ClassVar[bool] = True

    def __init__(self, spec: FileExamples, tell: Tell, opened: OpenedExamples, *, each_step: bool = False) -> None:
        """Take opened files; `each_step`: where rows are steps, each has a label."""
        super().__init__(spec, tell)
        self._opened, self._each_step = opened, each_step
        whole = _is_folder(spec) and opened.records.of_whole_texts
        # A tagger says of each row once what it is, however it learned.
        once = {"stride": None} if each_step else {}
        self.columns = spec.columns.model_copy(update={"whole": whole, **once})

    @classmethod
    def open(cls, spec: FileExamples, settings: Any, tell: Tell = untold) -> Self:
        """Open files and find the columns of sequences and targets, without reading rows."""
        spec = as_pair(spec.missing_as(settings), texts=settings.pairs_of_texts)
        spec = with_statics(spec)
        return cls(spec, tell, open_examples(spec, tell), each_step=settings.labels_each_step)

    @classmethod
    def open_for(cls, spec: FileExamples, model: Any, tell: Tell = untold) -> Self:
        """Open files like those that a model learned from."""
        spec = as_pair(as_trained(spec.missing_as(model), model.columns_), texts=model.pairs_of_texts)
        spec = with_statics(spec)
        return cls(spec, tell, open_examples(spec, tell), each_step=model.labels_each_step)

    def load(self) -> Loaded:
        """Read sequences and targets, into memory or, where the files are large, to columns on disk."""
        return load_opened(self.spec, self._opened, self.tell, each_step=self._each_step)

    def load_training(self, estimator: Any) -> Loaded:
        """Read the same, and the word vectors that an estimator is to begin with."""
        if self.spec.vectors:
            vectors = ready_vectors(self.spec.vectors, self.tell, frozen=self.spec.frozen)
            estimator.set_params(embedding=vectors)
        found = self.load()
        if not self._each_step:
            demand_long_enough(units_of(found.X), self.spec.window)
        if not (self.spec.digits or estimator.reads_single_numbers):
            demand_sequences(column_of(found.X))
        return found


def ready_vectors(path: Path, tell: Tell, *, frozen: bool) -> Any:
    """Return the vectors of a file for `embedding=`, and tell what is to be known of the file.

    The class is asked for by name, since jobs do not import each other.
    """
    from loopcell.tasks.core.models import model_class

    found = model_class("word-vectors").from_file(path)
    for note in getattr(found, "notes_", ()):
        tell(note)
    return found.as_embedding(frozen=frozen)


def _is_folder(spec: FileExamples) -> bool:
    return len(spec.files) == 1 and spec.files[0].is_dir()
