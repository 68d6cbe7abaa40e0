"""Slots: which stream lies in which row of a table, how far each has come, and which have stood still for too long."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import numpy as np

from loopcell.errors import InputError, UsageError, quoted
from loopcell.layers.streaming.state import MOST_ROWS, StreamState

Id: TypeAlias = str | int
MOST_STREAMS = 2**24
"""The largest capacity of a pool."""
REMEMBERED = 1024
"""Streams that timed out, kept so that the error of a late call can say so."""
_MOST_BITS = 1024


class IdleLimits(NamedTuple):
    """The time that a stream may stand still before it is closed.

    Attributes:
        steps: of the pool, in which it takes no part; None for no limit.
        seconds: without a step of its own; None for no limit.
        closed: is called with the id and the state of each stream that is closed so; None for nothing.
        clock: the time in seconds.
    """

    steps: int | None = None
    seconds: float | None = None
    closed: Callable[[Id, StreamState], object] | None = None
    clock: Callable[[], float] = time.monotonic

    def check(self) -> None:
        """Refuse limits that close everything; UsageError."""
        if self.steps is not None and not (_is_whole(self.steps) and 1 <= self.steps < MOST_ROWS):
            raise UsageError(
                f"idle_steps is a whole number of at least 1, or None for no limit; got {quoted(self.steps)}"
            )
        numeric = isinstance(self.seconds, Real) and not isinstance(self.seconds, bool)
        if self.seconds is not None and not (numeric and self.seconds > 0):
            raise UsageError(f"idle_seconds is a number above 0, or None for no limit; got {quoted(self.seconds)}")

    def deliver(self, closed: Mapping[Id, StreamState]) -> None:
        """Call `closed` for each stream that was closed: for all of them, and then raise the first error of these."""
        if self.closed is None:
            return
        first: BaseException | None = None
        for id_, state in closed.items():
            try:
                self.closed(id_, state)
            except BaseException as error:  # noqa: BLE001  # raised below, when the other states are delivered too
                first = first or error
        if first is not None:
            raise first

    def __str__(self) -> str:
        """Say the limits in an error."""
        parts = [
            *([] if self.steps is None else [f"{self.steps:,} steps of the pool"]),
            *([] if self.seconds is None else [f"{self.seconds:g} seconds"]),
        ]
        return " or ".join(parts)


class Slots:
    """The slots of a pool: rows of a table of a fixed length.

    Args:
        capacity: how many there are.
        idle: when a stream is overdue.

    Attributes:
        of: the slot of each stream that is open, by its id, in the order in which they came.
    """

    def __init__(self, capacity: int, idle: IdleLimits) -> None:
        self._idle = idle
        self.of: dict[Id, int] = {}
        self._free = list(range(capacity))  # a heap: the lowest comes first
        self._steps = np.zeros(capacity, np.int64)
        self._last_step = np.zeros(capacity, np.int64)
        self._last_time = np.zeros(capacity)
        self._timed_out: dict[Id, None] = {}

    @property
    def capacity(self) -> int:
        """The number of slots."""
        return len(self._steps)

    def take(self, id_: object, steps: int, now: int) -> int:
        """Give a slot to a stream.

        Args:
            id_: its id.
            steps: how many it has taken.
            now: the steps of the pool.

        Raises:
            InputError: it is no id, or is open already; or all slots are taken.
        """
        key = storable_id(id_)
        if key in self.of:
            raise InputError(f"the stream {quoted(key)} is open already: close it first, or reset it")
        if not self._free:
            raise InputError(f"all {self.capacity:,} streams are taken: close one, or make a pool of a larger capacity")
        slot = self.of[key] = heapq.heappop(self._free)
        self._timed_out.pop(key, None)
        self._steps[slot] = steps
        self.touch([slot], 0, now)
        return slot

    def release(self, id_: object) -> int:
        """Take a stream's slot back, and return it; InputError where it is not open."""
        slot = self.find(id_)
        del self.of[checked_id(id_)]
        heapq.heappush(self._free, slot)
        return slot

    def touch(self, slots: Sequence[int], steps: int, now: int) -> None:
        """Note that streams have taken some steps; `now` are the steps of the pool after them."""
        index = list(slots)
        self._steps[index] += steps
        self._last_step[index] = now
        if self._idle.seconds is not None:
            self._last_time[index] = self._idle.clock()

    def restart(self, slot: int, now: int) -> None:
        """Note that a stream begins anew."""
        self._steps[slot] = 0
        self.touch([slot], 0, now)

    def steps(self, slot: int) -> int:
        """Return how many steps the stream of a slot has taken."""
        return int(self._steps[slot])

    def find(self, id_: object) -> int:
        """Return the slot of a stream; InputError where it is no id, or is not open."""
        key = checked_id(id_)
        if key in self.of:
            return self.of[key]
        if key in self._timed_out:
            raise InputError(f"the stream {quoted(key)} stood still for {self._idle} and was closed: open it again")
        raise InputError(f"there is no open stream {quoted(key)}: open({quoted(key)}) begins one")

    def find_all(self, ids: Iterable[Any]) -> list[int]:
        """Return the slots of streams; InputError where one is not open, or is named twice, or `ids` is no list."""
        if isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
            raise InputError(f"ids is a list, with one id for each row; got {quoted(ids)}: write [{quoted(ids)}]")
        keys = [checked_id(id_) for id_ in ids]
        found = [self.find(key) for key in keys]
        if len(set(found)) != len(found):
            twice = next(key for at, key in enumerate(keys) if key in keys[:at])
            raise InputError(f"the stream {quoted(twice)} is named twice in one call: a call has one row for a stream")
        return found

    def overdue(self, now: int) -> list[Id]:
        """Return the streams that have stood still for longer than they may; `now` are the steps of the pool."""
        late = np.zeros(self.capacity, bool)
        if self._idle.steps is not None:
            late |= now - self._last_step >= self._idle.steps
        if self._idle.seconds is not None:
            late |= self._idle.clock() - self._last_time >= self._idle.seconds
        return [id_ for id_, slot in self.of.items() if late[slot]] if late.any() else []

    def remember(self, id_: Id) -> None:
        """Keep that a stream timed out, for the error of a late call."""
        self._timed_out[id_] = None
        if len(self._timed_out) > REMEMBERED:
            del self._timed_out[next(iter(self._timed_out))]


def checked_id(id_: object) -> Id:
    """Return the id of a stream; InputError where it is neither a text nor a whole number."""
    if isinstance(id_, np.integer):
        return int(id_)
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise InputError(f"a stream is called by a text or a whole number, not {quoted(id_)}")
    return id_


def storable_id(id_: object) -> Id:
    """Return the id of a stream as a file can hold it; InputError where it cannot, or it is none."""
    key = checked_id(id_)
    if isinstance(key, str):
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InputError(f"the id {quoted(key)} holds half a character, which no file can hold: mend it") from None
    elif key.bit_length() > _MOST_BITS:
        raise InputError(f"an id that is a number has at most {_MOST_BITS:,} bits; got {key.bit_length():,}")
    return key


def checked_capacity(capacity: object) -> int:
    """Return the capacity of a pool; UsageError where it is no whole number, or one that is too small or large."""
    if not (_is_whole(capacity) and 1 <= capacity <= MOST_STREAMS):
        raise UsageError(f"capacity is a whole number from 1 to {MOST_STREAMS:,}; got {quoted(capacity)}")
    return int(capacity)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def stored_stream(entry: Any) -> tuple[Id, int]:
    """Return the id and the steps of a stream in a file; ValueError where they are none."""
    id_, steps = entry
    if type(id_) not in (str, int) or type(steps) is not int or not 0 <= steps < MOST_ROWS:
        raise ValueError("its streams have no names, or no counts of steps")
    return id_, steps
