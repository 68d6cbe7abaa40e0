"""The terms on which a pass reads a file, and what a reader gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from loopcell.data.readers.origins import Origin
from loopcell.data.readers.records import Record, file_origin
from loopcell.data.readers.row_block import RowBlock
from loopcell.data.readers.skipped import Skipped
from loopcell.errors import DataError, LoopcellError, escaped

ItemT = TypeVar("ItemT")

LONGEST_REASON = 160  # characters that are passed on of another library's message


@dataclass(frozen=True)
class Reading:
    """One pass.

    Attributes:
        encoding: of text files.
        columns: the columns that are asked for; a reader may give more. None: all.
        named: columns that the user has named, which tell a header from a row of data.
        skip_bad_rows: whether a row that cannot be read is counted and left out, rather than an error.
        skipped: where it is counted.
        to_learn: whether something is learned of the rows, so that what no file could be written with is a bad row.
    """

    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None
    named: tuple[str, ...] = ()
    skip_bad_rows: bool = False
    skipped: Skipped = field(default_factory=Skipped)
    to_learn: bool = False

    def bad_row(self, origin: Origin, kind: str, reason: str) -> None:
        """Refuse a row, or count it.

        Args:
            origin: the row.
            kind: what rows like this are called when they are counted ("rows with too few values").
            reason: the sentence about this one.

        Raises:
            DataError: rows are not to be skipped.
        """
        if not self.skip_bad_rows:
            raise DataError(f"{origin}: {escaped(reason)}")
        self.skipped.add(kind, str(origin))


class FileRows(NamedTuple):
    """An opened file.

    Attributes:
        columns: their names.
        rows: in order.
        notes: what the user should know about how it is read, with the argument that says otherwise.
        blocks: the same rows, many at once, of a kind of file whose columns stand together; one of both is iterated.
    """

    columns: tuple[str, ...]
    rows: Iterator[Record]
    notes: tuple[str, ...] = ()
    blocks: Iterator[RowBlock] | None = None


Reader: TypeAlias = Callable[[Path, Reading], FileRows]


def one_column(name: str, values: Iterator[tuple[Origin, Any]]) -> FileRows:
    """Return a file of one column."""
    return FileRows((name,), (Record({name: value}, origin) for origin, value in values))


def reader_of(name: str, values: Callable[[Path], Iterator[Any]]) -> Reader:
    """Return the reader of a kind whose files are one value after the other, in the column `name`."""

    def read(path: Path, _reading: Reading) -> FileRows:
        return one_column(name, ((file_origin(path, row), value) for row, value in enumerate(values(path), 1)))

    return read


def guarded(path: Path, reader: Reader, reading: Reading) -> FileRows:
    """Open a file by its reader.

    Readers say what is wrong with a file in their own words. What they do not foresee, and a library that they call
    raises, comes out of here as a DataError too, so that no content of a file raises anything else.
    """
    with ours(lambda: f"{path} cannot be read"):
        found = reader(path, reading)
    blocks = None if found.blocks is None else _guarded(path, found.blocks, lambda block: block.origins[-1])
    return found._replace(rows=_guarded(path, found.rows, lambda record: record.origin), blocks=blocks)


def _guarded(path: Path, items: Iterator[ItemT], origin_of: Callable[[ItemT], Origin]) -> Iterator[ItemT]:
    last = file_origin(path)
    with ours(lambda: f"{last} cannot be read" if not last.row else f"{path} cannot be read after row {last.row}"):
        for item in items:
            last = origin_of(item)
            yield item


@contextmanager
def ours(failure: Callable[[], str]) -> Iterator[None]:
    """Make a DataError of every exception that is none of ours; `failure` begins its sentence."""
    try:
        yield
    except LoopcellError:
        raise
    except MemoryError as error:
        raise DataError(f"{failure()}: it needs more memory than there is") from error
    except Exception as error:
        raise DataError(f"{failure()} ({type(error).__name__}: {one_line(error)})") from error


def one_line(error: Exception) -> str:
    """Return an exception's message on one line that a terminal can show, and no longer than two lines of it."""
    return escaped((str(error).splitlines() or [""])[0].strip() or "no reason given", LONGEST_REASON)
