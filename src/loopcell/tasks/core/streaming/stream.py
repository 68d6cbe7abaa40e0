"""Stream: a trained model that reads row after row, and answers each at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from loopcell.data import Origin, Record
from loopcell.errors import DataError
from loopcell.layers.streaming.base import ReadingOn

ROW = ""  # the column of a row that has no columns

ResultT = TypeVar("ResultT")


class Stream(ReadingOn, Generic[ResultT]):
    """A trained model that reads row after row; `estimator.stream()` makes one.

    A row counts when its step has returned: a step that fails, or is interrupted, leaves the stream as it was.

    Args:
        owner: the model.

    Attributes:
        rows: how many were read, those before a stop included.
        layout: how the lines of a text were cut into rows, as JSON values; kept with the state, for `loopcell predict`.
        columns: the names that a row has to have; none where a row is no mapping.
        read: those of them that an answer does not repeat; the others, such as the time, tell which row it is of.
        names: of `record`; fields: of `flat`.
        line_end: what ends a row of a text, where that is a part of it.
    """

    columns: tuple[str, ...] = ()
    read: frozenset[str] = frozenset((ROW,))
    names: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    line_end: str = ""

    @abstractmethod
    def step(self, row: Any) -> ResultT | None:
        """Read a row, and return what the model says after it; None while it has not read enough to say anything.

        Raises:
            DataError: the row cannot be read, or does not follow those before; the stream is as it was.
        """

    def feed(self, rows: Iterable[Any]) -> list[ResultT | None]:
        """Read several rows, and return what the model says after each: the same as `step` gives, row by row.

        Raises:
            DataError: as `step`; the stream is as it was before the first of them.
        """
        before = self.state
        try:
            return [self.step(row) for row in rows]
        except BaseException:
            self.state = before
            raise

    def pass_over(self) -> None:
        """Tell that a row was left out, since it could not be read: the next one may come after a gap.

        Rows that have times follow each other; where one was left out, those up to the next one count as missing, and a
        note says so. Where rows have no times, nothing is changed.
        """

    @abstractmethod
    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return a result as JSON values; a name without a value is left out."""

    @abstractmethod
    def flat(self, result: ResultT | None) -> list[Any]:
        """Return a result as a line of a table, a cell for each of `fields`; None for what there is not."""


@contextmanager
def naming(row: Record) -> Iterator[None]:
    """Name a row in what the block says of data."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{row.origin}: {error}") from error


def as_record(row: Any, number: int) -> Record:
    """Return a row of a stream: by the names of its columns, or without any as its column `ROW`.

    Args:
        row: a `Record`, a mapping, a row of a frame, or anything else.
        number: its number in the stream, from 1.
    """
    if isinstance(row, Record):
        return row
    named = row.to_dict() if hasattr(row, "to_dict") else row._asdict() if hasattr(row, "_asdict") else row
    return Record(named if isinstance(named, Mapping) else {ROW: named}, Origin("the stream", number))
