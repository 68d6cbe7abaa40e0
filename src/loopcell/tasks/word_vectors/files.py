"""Texts to learn word vectors from, as a run reads them."""

from __future__ import annotations

from typing import Any, Self

from loopcell.data import Column, Records
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import as_trained, load_inputs, open_records
from loopcell.tasks.core.from_files.opened import OpenedFiles, Tell, untold


class SentenceFiles(OpenedFiles):
    """Texts of which a line, or a row of a table, is a sentence; nothing is to be known of them."""

    def __init__(self, spec: FileExamples, tell: Tell, records: Records) -> None:
        super().__init__(spec, tell)
        self.columns, self._records = spec.columns, records

    @classmethod
    def open(cls, spec: FileExamples, settings: Any, tell: Tell = untold) -> Self:
        """Open texts."""
        return cls(spec, tell, open_records(spec, tell))

    @classmethod
    def open_for(cls, spec: FileExamples, model: Any, tell: Tell = untold) -> Self:
        """Open texts like those that vectors were learned from."""
        return cls.open(as_trained(spec, model.columns_), None, tell)

    def load(self) -> tuple[Column]:
        """Read all texts."""
        return (load_inputs(self.spec, self.tell, self._records),)
