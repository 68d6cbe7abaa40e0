"""ReadingOn: what reads step after step, and where it stands, as a value and as a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

from torch import Tensor

from loopcell.errors import FileFormatError, UsageError
from loopcell.files.tensors import HOSTILE
from loopcell.files.writable import demand_file
from loopcell.layers.state import State
from loopcell.layers.streaming.lock import OwnLock
from loopcell.layers.streaming.state import StreamState

Start: TypeAlias = StreamState | str | PathLike[str] | None


class Owner(NamedTuple):
    """The model that a stream is of.

    Attributes:
        task: its task.
        name: its class, as sentences call it.
        fingerprint: of all that it computes with.
    """

    task: str
    name: str
    fingerprint: str


class ReadingOn(ABC):
    """The part of a stream that says where it stands: streams of networks and of estimators have it alike.

    A row counts when its step has returned: a step that fails, or is interrupted, leaves the stream as it was.

    Args:
        owner: the model.

    Attributes:
        rows: how many were read, those before a stop included.
        layout: how the lines of a text were cut into rows, as JSON values; kept with the state.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner, self.rows = owner, 0
        self._lock = OwnLock()
        self.layout: Mapping[str, Any] = {}
        self._path: Path | None = None
        self._rest: StreamState | None = None

    @abstractmethod
    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return where the stream stands, as JSON values and tensors that nobody else writes to."""

    @abstractmethod
    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go to where `_parts` was; any exception, before anything is changed, for what it did not give."""

    def _separate(self) -> dict[str, Any]:
        """Return the attributes that a fork has of its own, beside what `_take` makes anew."""
        return {}

    @property
    def state(self) -> StreamState:
        """The place where the stream stands, as a value; setting it goes there, if it is of this model."""
        with self._lock:
            owner = self._owner
            return StreamState(owner.task, owner.fingerprint, self.rows, dict(self.layout), *self._parts())

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

    def reset(self) -> None:
        """Begin anew, as if nothing had been read."""
        assert self._rest is not None  # `begin` keeps it
        self._go_to(self._rest, "the state")

    def fork(self) -> Self:
        """Return another stream that stands where this one does; from here on each goes its own way."""
        with self._lock:
            other = object.__new__(type(self))
            own = {"_path": None, "_lock": OwnLock()}  # the file is the first one's
            vars(other).update({**vars(self), **self._separate(), **own})
            other.state = self.state
            return other

    def _go_to(self, state: StreamState, name: str) -> None:
        owner = self._owner
        if not isinstance(state, StreamState):
            raise UsageError(f"{name} of a stream is a StreamState, as `stream.state` gives it, not {_named(state)}")
        if state.task != owner.task:
            raise UsageError(
                f"{name} is the state of another kind of model ({state.task}), not of this one ({owner.task})"
            )
        if state.model != owner.fingerprint:
            raise UsageError(f"{name} is the state of another {owner.name}, whose weights are not those of this one")
        with self._lock:
            try:
                self._take(state.facts, state.tensors)
            except HOSTILE as error:
                raise FileFormatError(f"{name} is damaged: it does not describe a stream of this model") from error
            self.rows, self.layout = state.rows, dict(state.layout)

    def begin(self, start: Start) -> Self:
        """Start where a state is: a value, or a file, which need not be there yet and is written as the block ends."""
        self._rest = self.state
        if isinstance(start, StreamState):
            self.state = start
        elif start is not None:
            self._path = Path(start)
            demand_file(self._path)
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


def demand_state(found: Mapping[str, Tensor], own: State) -> State:
    """Return tensors as a state like the network's own; ValueError where they are of other names, shapes or kinds."""
    looks = [{name: (tensor.shape, tensor.dtype) for name, tensor in one.items()} for one in (found, own)]
    if looks[0] != looks[1]:
        raise ValueError("its tensors are not those of this network's state")
    return State.of({name: found[name].to(tensor.device) for name, tensor in own.items()})


def _named(value: object) -> str:
    return f"a {type(value).__name__}"
