"""The files that examples are read from, and their columns. No torch here, so that flags are fast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from loopcell.data.readers.patterns import expanded
from loopcell.training.config import Config


class Columns(Config):
    """The columns of a table by their roles; a model that was trained from the shell remembers them.

    Attributes:
        input: the column of the sequences; or several with commas between them: the columns of a step, or, where a row
            is an example, the columns of numbers that are its sequence. None finds it where a kind of file has one.
        target: the column of what is to be learned; None for the one that is called label, labels or target.
        separator: what stands between the labels of one cell, where an example has several.
        by: rows are steps, and a sequence ends where the value of this column changes.
        window: rows are steps, and a sequence has at most so many.
        whole: a text file is one sequence, as those of the class folders were that a model learned from; else its lines
            are sequences.
    """

    input: str | None = None
    target: str | None = None
    separator: str | None = None
    by: str | None = None
    window: PositiveInt | None = None
    whole: bool = False

    @property
    def of_steps(self) -> bool:
        """Say whether a row is a step, and not an example."""
        return self.by is not None or self.window is not None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names in `input`."""
        return () if self.input is None else tuple(name.strip() for name in self.input.split(","))

    @property
    def named(self) -> tuple[str, ...]:
        """All names of columns that are said."""
        return tuple(name for name in (self.input, *self.inputs, self.target, self.by) if name is not None)

    def inputs_in(self, there: Sequence[str]) -> bool:
        """Say whether a file with these columns has those of the sequences."""
        return self.input is not None and (self.input in there or set(self.inputs) <= set(there))


class FileExamples(Columns):
    """Files, and what is read in them.

    Attributes:
        files: tables, JSON lines, archives, a folder of class folders, ...; a pattern (`data/*.csv`) is its files.
        encoding: the encoding of text: utf-8, cp949 (Korean of Windows), latin-1, ...
        kind: of the files, one of `loopcell.data.readers.KINDS`; None finds it.
        header: whether the first line of a table has the names of its columns; None for what is found.
        delimiter: what stands between the cells of a table: a character, or "blanks"; None finds it.
        quote: the character that encloses a cell of a table, "" for none; None finds it.
        paired: there are two files, one of sequences and one of targets, line beside line.
        vectors: word vectors to begin with: a model file, the folder of its run, or a file of word2vec.
        frozen: the vectors of `vectors` stay as they are.
        digits: a column of numbers is text, which is read digit by digit.
    """

    files: Annotated[tuple[Path, ...], Field(min_length=1)]
    encoding: str = "utf-8"
    kind: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    quote: str | None = None
    paired: bool = False
    vectors: Path | None = None
    frozen: bool = False
    digits: bool = False

    @field_validator("files")
    @classmethod
    def _expanded(cls, files: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(expanded(files))

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.paired and len(self.files) != 2:
            raise ValueError(f"a file of sources and one of targets were expected, got {len(self.files)}")
        return self

    @property
    def columns(self) -> Columns:
        """Return what the columns of the files are, without the files."""
        return Columns(**{name: getattr(self, name) for name in Columns.model_fields})

    def as_in(self, training: Columns, there: Sequence[str]) -> Self:
        """Fill what is not said of columns from those of training, where the files have them.

        Args:
            training: the columns that a model was trained with.
            there: the names of the files' columns. Files of another form than those of training, such as lines of
                text in place of a table, do not have its columns, and are read as if nothing were known of them.

        Columns of the same names in another order are put into that of training: a step of the model is a name.
        """
        names = ["target", "separator"] if training.target in there else []
        if self.input is not None or training.inputs_in(there):
            names += ["input", "by", "window"]
        known = {name: getattr(training, name) for name in names if getattr(self, name) is None}
        if sorted(self.inputs) == sorted(training.inputs):
            known["input"] = training.input
        return self.model_copy(update=known)
