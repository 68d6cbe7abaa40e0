"""The choice of a reader for each file, and what the user should know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from loopcell.data.readers.delimited import Delimited
from loopcell.data.readers.kinds import KINDS, Look, kind_named, look_at
from loopcell.data.readers.plain import read_lines, read_whole
from loopcell.data.readers.reading import Reader
from loopcell.errors import UsageError

_AS_LINES = "; every line is read as a text, also the first one: kind='csv' reads a table"
_PARTS = {"header": "a header", "delimiter": "delimiters", "quote": "quotes"}


class Chosen(NamedTuple):
    """The reader of each file.

    Attributes:
        readers: the files with their readers.
        notes: what was guessed, with the argument that settles it.
        hint: what may be wrong where a column is not there: a table was taken for lines of text.
    """

    readers: list[tuple[Path, Reader]]
    notes: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Choice:
    """The user's choice of how files are read; None leaves it to the files.

    Attributes:
        kind: one of `KINDS`, or a `Delimited`.
        header: of tables of text: whether the first line has the names; or the names.
        delimiter: of tables of text: what stands between cells.
        quote: of tables of text: what encloses a cell.
        plain: a text is lines, whatever it looks like: it is one side of a pair.
        whole: all of a text is one row, whatever it looks like: it stands in a class folder, or is read by a model that
            learned from those.
    """

    kind: str | Delimited | None = None
    header: bool | Sequence[str] | None = None
    delimiter: str | None = None
    quote: str | None = None
    plain: bool = False
    whole: bool = False

    def readers(self, paths: Sequence[Path]) -> Chosen:
        """Choose for files that belong together: where their lines look differently, all of them are text.

        Raises:
            UsageError: there is no such kind, or something is said of tables and a file is none.
            DataError: as `kind_of`.
        """
        given = self._given()
        if given is not None:
            return Chosen([(path, self._in_whole(given)) for path in paths])
        looks = [look_at(path) for path in paths]
        guessed = {look.kind.name for look in looks if look.guess}
        plain = self.plain or self.whole or len(guessed) > 1
        readers = [(path, self._reader(path, look, plain=plain)) for path, look in zip(paths, looks, strict=True)]
        notes = () if plain or self._table else _notes(paths, looks)
        texts = [reader for reader in readers if reader[1] is read_whole]
        lines = readers[0][1] is read_lines and not self.plain
        return Chosen(readers, (*notes, *_of_whole_texts(texts)), _AS_LINES if lines else "")

    @property
    def _table(self) -> dict[str, Any]:
        """The reader's arguments that concern tables."""
        said = {"header": self.header, "delimiter": self.delimiter, "quote": self.quote}
        return {name: value for name, value in said.items() if value is not None}

    def _given(self) -> Reader | None:
        """Return the reader of all files, where the kind is said."""
        if self.kind is None:
            return None
        reader = self.kind if isinstance(self.kind, Delimited) else kind_named(self.kind).reader
        return self._with_table(reader, str(self.kind))

    def _reader(self, path: Path, look: Look, *, plain: bool) -> Reader:
        if self._table and look.guess is not None and not isinstance(look.kind.reader, Delimited):
            return Delimited(**self._table)
        kind = KINDS["text"] if plain and look.guess is not None else look.kind
        return self._in_whole(self._with_table(kind.reader, f"{path} is {kind.name}, which"))

    def _in_whole(self, reader: Reader) -> Reader:
        return read_whole if self.whole and reader is read_lines else reader

    def _with_table(self, reader: Reader, what: str) -> Reader:
        if not self._table:
            return reader
        if isinstance(reader, Delimited):
            return replace(reader, **self._table)
        name, value = next(iter(self._table.items()))
        raise UsageError(f"{what} is no kind of table with {_PARTS[name]}: leave out {name}={value!r}")


def _of_whole_texts(readers: Sequence[tuple[Path, Reader]]) -> tuple[str, ...]:
    if not readers:
        return ()
    each = "one text" if len(readers) == 1 else "one text each"
    return (f"{_named(readers)} read as {each}, as files of class folders are; kind='text' reads every line as one",)


def _notes(paths: Sequence[Path], looks: Sequence[Look]) -> tuple[str, ...]:
    """Return what was guessed of files, in a sentence, and what there is to say of the first one."""
    guessed = [(path, look.guess) for path, look in zip(paths, looks, strict=True) if look.guess and look.guess.why]
    doubted = [(path, look.guess) for path, look in zip(paths, looks, strict=True) if look.guess and look.guess.instead]
    notes = [*looks[0].notes]
    if guessed:
        guess = guessed[0][1]
        rows = " (a label, then a series)" if guess.kind == "ucr" else ""
        table = ", kind='csv' a table" if guess.kind == "ucr" else ""
        notes.append(
            f"{_named(guessed)} read as {guess.kind}{rows}, for {guess.why}; "
            f"kind='text' reads every line as a text{table}"
        )
    if doubted:
        guess = doubted[0][1]
        table = ", kind='csv' as a table" if guess.instead == "ucr" else ""
        looks_like = {"fasta": "sequences in FASTA", "ucr": "rows of numbers"}[guess.instead]
        notes.append(
            f"{_named(doubted)} read as text, one row per line, and may be {looks_like}; "
            f"kind={guess.instead!r} reads them as such{table}"
        )
    return tuple(notes)


def _named(files: Sequence[tuple[Path, object]]) -> str:
    path = files[0][0]
    return f"{path} is" if len(files) == 1 else f"{path} and {len(files) - 1:,} more are"
