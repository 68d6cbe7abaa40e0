"""The files that examples are read from, and their columns. No torch here, so that flags are fast."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from loopcell.errors import UsageError
from loopcell.training.config import Config

_RANGE = re.compile(r"(.*?)(\d{1,6})\.\.\1(\d{1,6})")


def numbered_names(given: Sequence[str]) -> tuple[str, ...]:
    """Return names without the blanks around them, and for s1..s21 those of all 21 columns.

    Raises:
        UsageError: a range goes down.
    """
    return tuple(name for one in given for name in _numbered(one.strip()))


def _numbered(name: str) -> Sequence[str]:
    found = _RANGE.fullmatch(name)
    if found is None:
        return (name,)
    start, first, last = found.groups()
    if int(first) > int(last):
        raise UsageError(f"{name!r} goes down; write {start}{last}..{start}{first}")
    width = len(first) if first.startswith("0") else 0
    return [f"{start}{number:0{width}}" for number in range(int(first), int(last) + 1)]


def _as_names(value: object) -> object:
    """Return one name or several, as a tuple."""
    if isinstance(value, str):
        return numbered_names([value])
    several = isinstance(value, Sequence) and all(isinstance(name, str) for name in value)
    return numbered_names(value) if several else value  # type: ignore[arg-type]  # a sequence of texts


Names = Annotated[tuple[str, ...], BeforeValidator(_as_names)]


class Columns(Config):
    """The columns of a table by their roles; a model that was trained from the shell remembers them.

    Attributes:
        input: the column of the sequences; or several with commas between them: the columns of a step, or, where a row
            is an example, the columns of numbers that are its sequence. s1..s21 are 21 columns. None finds it where a
            kind of file has one.
        target: the column of what is to be learned; None for the one that is called label, labels or target. Where rows
            are steps, "remaining" is what no column has: the rows that a unit still has after a sequence. Of a tagger
            several, with commas between them: columns of zeros and ones, of which each is a label.
        separator: what stands between the labels of one cell, where an example has several.
        names: the names of the columns of a table that has no header, such as unit,cycle,s1..s21.
        by: rows are steps, and a sequence is made of those with one value in this column, or in several.
        time: the column with the times; or several: year,month,day,hour, or a date and a time of the day. Where rows
            are steps, those of a sequence are put in this order.
        time_format: how times are written: as `datetime.strptime` has it (%d.%m.%y %H:%M), or s, ms, us or ns for
            numbers since 1970; None for what is found.
        time_input: where rows are steps, the network is told the time from each row to the next, which may vary.
        static: columns with one value for each series or unit; where rows are examples, for each of them.
        window: rows are steps, and a sequence has at most so many.
        stride: rows from one window to the next, or from one forecast of a series to the next; None for 1, and for a
            tagger all rows of a window.
        cap: the largest target that is learned, such as 125 rows that remain; a larger one is read as this.
        whole: a text file is one sequence, as those of the class folders were that a model learned from; else its lines
            are sequences.
    """

    input: str | None = None
    target: str | None = None
    separator: str | None = None
    names: Names = ()
    by: str | None = None
    time: Names = ()
    time_format: str | None = None
    time_input: bool = False
    static: Names = ()
    window: PositiveInt | None = None
    stride: PositiveInt | None = None
    cap: float | None = None
    whole: bool = False

    @property
    def of_steps(self) -> bool:
        """Say whether a row is a step, and not an example."""
        return self.by is not None or bool(self.time) or self.window is not None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names in `input`."""
        return () if self.input is None else numbered_names(self.input.split(","))

    @property
    def targets(self) -> tuple[str, ...]:
        """The names in `target`, where there are several."""
        names = () if self.target is None else tuple(name.strip() for name in self.target.split(","))
        return names if len(names) > 1 else ()

    @property
    def units(self) -> tuple[str, ...]:
        """The names in `by`."""
        return () if self.by is None else tuple(name.strip() for name in self.by.split(","))

    @property
    def target_counts_down(self) -> bool:
        """Say whether the target is what remains of a unit, if no column has that name."""
        from loopcell.data.from_tables import REMAINING  # what is needed of files loads NumPy; flags do not

        return self.of_steps and self.target == REMAINING

    @property
    def named(self) -> tuple[str, ...]:
        """All names of columns that are said."""
        one = (self.input, *self.inputs, self.target, *self.targets, self.by, *self.units, *self.time, *self.static)
        return tuple(name for name in one if name is not None)

    def inputs_in(self, there: Sequence[str]) -> bool:
        """Say whether a file with these columns has those of the sequences."""
        return self.input is not None and (self.input in there or set(self.inputs) <= set(there))


class FileExamples(Columns):
    """Files, and what is read in them.

    Attributes:
        files: tables, JSON lines, archives, a folder of class folders, ...
        encoding: the encoding of text: utf-8, cp949 (Korean of Windows), latin-1, ...
        kind: of the files, one of `loopcell.data.readers.KINDS`; None finds it.
        header: whether the first line of a table has the names of its columns; None for what is found.
        delimiter: what stands between the cells of a table: a character, or "blanks"; None finds it.
        quote: the character that encloses a cell of a table, "" for none; None finds it.
        paired: there are two files, one of sequences and one of targets, line beside line.
        vectors: word vectors to begin with: a model file, the folder of its run, or a file of word2vec.
        frozen: the vectors of `vectors` stay as they are.
        digits: a column of numbers is text, which is read digit by digit.
        last: of each unit only the last window.
        missing: words and numbers that stand for what is not there, as the model's settings have them.
        carried: columns of the input that predictions have as well, as they are there, so that both can be joined.
        unit_labels: a file with what is to be learned of each unit, a row for each in their order, or a table with the
            column of `by`. Where the target is what remains, it is what a unit still had after its last row.
        statics: a file with a row for each unit and the column of `by`: what holds for all of a unit, joined by it.
            `static` names the columns that are read; without it they are all others.
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
    last: bool = False
    missing: tuple[str | float, ...] = ()
    carried: Names = ()
    unit_labels: Path | None = None
    statics: Path | None = None

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.paired and len(self.files) != 2:
            raise ValueError(f"a file of sources and one of targets were expected, got {len(self.files)}")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """All names of columns that are said, with those that are carried over."""
        return (*super().named, *self.carried)

    def missing_as(self, settings: Any) -> Self:
        """Return the files with the missing values of an estimator's settings; of some there are none."""
        named = getattr(settings, "missing", ())
        return self.model_copy(update={"missing": tuple(named) if isinstance(named, list | tuple) else (named,)})

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
        several = bool(training.targets) and set(training.targets) <= set(there)
        learned = training.target in there or several or training.target_counts_down
        names = ["target", "separator", "cap"] if learned else []
        if self.input is not None or training.inputs_in(there):
            names += ["input", "by", "time", "time_format", "time_input", "static", "window", "stride"]
        known = {name: getattr(training, name) for name in names if getattr(self, name) in (None, (), False)}
        if sorted(self.inputs) == sorted(training.inputs):
            known["input"] = training.input
        return self.model_copy(update=known)
