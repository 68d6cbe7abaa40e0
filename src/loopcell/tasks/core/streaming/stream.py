"""Stream: a trained model that reads row after row, and answers each at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeAlias, TypeVar

from torch import Tensor

from loopcell.data import Origin, Record
from loopcell.errors import FileFormatError, UsageError
from loopcell.layers import State
from loopcell.tasks.core.model_file import HOSTILE
from loopcell.tasks.core.streaming.state import StreamState

ROW = ""  # the column of a row that has no columns

ResultT = TypeVar("ResultT")
Start: TypeAlias = StreamState | str | PathLike[str] | None


class Owner(NamedTuple):
    """The model that a stream is of.

    Attributes:
        task: its task.
        name: its class, as sentences call it.
        fingerprint: of its weights and scales.
    """

    task: str
    name: str
    fingerprint: str


class Stream(ABC, Generic[ResultT]):
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

    def __init__(self, owner: Owner) -> None:
        self._owner, self.rows = owner, 0
        self.layout: Mapping[str, Any] = {}
        self._path: Path | None = None

    @abstractmethod
    def step(self, row: Any) -> ResultT | None:
        """Read a row, and return what the model says after it; None while it has not read enough to say anything.

        Raises:
            DataError: the row cannot be read, or does not follow those before; the stream is as it was.
        """

    @abstractmethod
    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return a result as JSON values; a name without a value is left out."""

    @abstractmethod
    def flat(self, result: ResultT | None) -> list[Any]:
        """Return a result as a line of a table, a cell for each of `fields`; None for what there is not."""

    # --- state -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return where the stream stands, as JSON values and tensors."""

    @abstractmethod
    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go to where `_parts` was; any exception, before anything is changed, for what it did not give."""

    @property
    def state(self) -> StreamState:
        """The place where the stream stands, as a value; setting it goes there, if it is of this model."""
        return StreamState(self._owner.task, self._owner.fingerprint, self.rows, dict(self.layout), *self._parts())

    @state.setter
    def state(self, state: StreamState) -> None:
        self._go_to(state, "the state")

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to a file, whole or not at all.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        self.state.save(path)

    def load(self, path: str | PathLike[str]) -> None:
        """Go to the state in a file.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
            UsageError: it is the state of another model.
        """
        self._go_to(StreamState.load(path), str(path))

    def _go_to(self, state: StreamState, name: str) -> None:
        owner = self._owner
        if state.task != owner.task:
            raise UsageError(f"{name} is the state of another kind of model ({state.task}), and this is a {owner.task}")
        if state.model != owner.fingerprint:
            raise UsageError(f"{name} is the state of another {owner.name}, whose weights are not those of this one")
        try:
            self._take(state.facts, state.tensors)
        except HOSTILE as error:
            raise FileFormatError(f"{name} is damaged: it does not describe a stream of this model") from error
        self.rows, self.layout = state.rows, dict(state.layout)

    def begin(self, start: Start) -> Self:
        """Start where a state is: a value, or a file, which need not be there yet and is written as the block ends."""
        if isinstance(start, StreamState):
            self.state = start
        elif start is not None:
            self._path = Path(start)
            if self._path.exists():
                self.load(self._path)
        return self

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the state to the file that `stream(state=FILE)` named, also after an error: rows so far are read."""
        if self._path is not None:
            self.save(self._path)


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


def demand_state(found: Mapping[str, Tensor], own: State) -> State:
    """Return tensors as a state like the network's own; ValueError where they are of other names, shapes or kinds."""
    looks = [{name: (tensor.shape, tensor.dtype) for name, tensor in one.items()} for one in (found, own)]
    if looks[0] != looks[1]:
        raise ValueError("its tensors are not those of this network's state")
    return State.of({name: found[name].to(tensor.device) for name, tensor in own.items()})
