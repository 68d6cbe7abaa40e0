"""Texts, as a run of a language model reads them: each file is a document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from loopcell.data.text import Source
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.opened import Opened, OpenedFiles, Tell, untold
from loopcell.training.run_folder import RunFolder


class TextFiles(OpenedFiles):
    """Files that `fit` reads itself, block by block."""

    @classmethod
    def open(cls, spec: FileExamples, settings: Any, tell: Tell = untold) -> Self:
        """Look for the files."""
        cls.demand(spec)
        return cls(spec, tell)

    @classmethod
    def open_for(cls, spec: FileExamples, model: Any, tell: Tell = untold) -> Self:
        """Look for the files."""
        return cls.open(spec, None, tell)

    @classmethod
    def demand(cls, spec: FileExamples) -> None:
        """Refuse files that are not there, or cannot be opened; DataError says why."""
        for path in spec.files:
            Source(path).size()

    @classmethod
    def reopen(cls, run: RunFolder, source: Mapping[str, Any] | None, settings: Any, tell: Tell) -> Opened:
        """Open the texts of a run that was cut off before they were read; others are in its folder, as tokens."""
        if run.vocabulary.exists() or not run.never_began():
            return _InFolder(tell), None
        if not source:
            raise UsageError(
                f"{run.path} was started from Python, and cut off before its texts were read; begin it anew there"
            )
        return super().reopen(run, source, settings, tell)

    @classmethod
    def begins_anew(cls, run: RunFolder) -> bool:
        """Return False: `fit` clears the folder itself, in the first of several processes."""
        return False

    def load(self) -> tuple[list[Path]]:
        """Return the paths."""
        return (list(self.spec.files),)


class _InFolder(TextFiles):
    """The tokens that a run's folder has."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def load(self) -> tuple[Any]:
        """Return None: `fit` finds them."""
        return (None,)
