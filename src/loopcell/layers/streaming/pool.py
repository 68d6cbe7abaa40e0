"""StreamPool: many streams of one network, any of which go on together in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from loopcell.errors import InputError, UsageError
from loopcell.layers.state import State
from loopcell.layers.stepper import SteppedNetwork
from loopcell.layers.streaming.base import Owner, ReadingOn, demand_state
from loopcell.layers.streaming.inputs import ChunkReader
from loopcell.layers.streaming.rows import row_runner
from loopcell.layers.streaming.slots import Id, IdleLimits, Slots, checked_capacity, checked_id, stored_stream
from loopcell.layers.streaming.state import StreamState
from loopcell.layers.streaming.stream import NETWORK, checked_state, like_of, owner_of, rows_at_rest

POOL = "network-streams"
"""The task of a state of a whole pool."""


class StreamPool(ReadingOn):
    """Many streams of one network; `net.streams(capacity=...)` makes one.

    Any of them go on together in one call, and come and go at any step. What a stream gives hangs on nothing but its
    own frames: not on who else is in the call, nor on its place there, bit for bit. Its slot is zeroed when it is
    closed.

    The capacity is fixed: memory is taken once, and one stream more than that is an error. As `NetworkStream` it
    computes what evaluation computes, on the weights as they were when it was made. Threads may share a pool, and go on
    one after the other; `on_timeout` is called by the thread whose call found a stream overdue.

    Args:
        net: the network.
        capacity: the most streams that are open at once.
        idle: when a stream that stands still is closed.

    Attributes:
        capacity: the same.
        rows: how many steps the pool has taken.
    """

    def __init__(self, net: SteppedNetwork, capacity: int, idle: IdleLimits) -> None:
        capacity = checked_capacity(capacity)
        idle.check()
        self._net, self._idle, self.capacity = net, idle, capacity
        self._runner = row_runner(net, capacity)
        super().__init__(owner_of(net, POOL, self._runner))
        self._read = ChunkReader(net.spec, self._runner, like_of(net))
        self._slots, self._table = self._at_rest()

    def _at_rest(self) -> tuple[Slots, Tensor]:
        return Slots(self.capacity, self._idle), rows_at_rest(self._net, self._runner, self.capacity)

    # --- coming and going ------------------------------------------------------------------------------------------

    @property
    def ids(self) -> tuple[Id, ...]:
        """The streams that are open, in the order in which they came."""
        with self._lock:
            return tuple(self._slots.of)

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._slots.of)

    def __contains__(self, id_: object) -> bool:
        """Say whether a stream is open."""
        try:
            return checked_id(id_) in self._slots.of
        except InputError:  # what is no id names no stream
            return False

    @property
    def fused(self) -> bool:
        """True where generated kernels run; else the streams of a call go on one after the other."""
        return self._runner.fused

    def open(self, id_: Id, state: StreamState | State | None = None) -> None:
        """Begin a stream.

        Args:
            id_: a text or a whole number, by which it is called.
            state: where it begins: the state of a `NetworkStream` or of a stream of a pool, or of one row of a call;
                None begins at zero.

        Raises:
            InputError: it is open already, all slots are taken, or the state does not fit.
            UsageError: it is the state of another network.
        """
        self.expire()
        with self._lock:
            start, steps = self._start(state)
            slot = self._slots.take(id_, steps, self.rows)
            if start is not None:
                self._table[slot] = start

    def close(self, id_: Id) -> None:
        """End a stream, and zero its slot; InputError where it is not open."""
        with self._lock:
            self._table[self._slots.release(id_)] = 0

    def expire(self) -> tuple[Id, ...]:
        """Close the streams that have stood still for too long, and return their ids; each call does so first.

        Raises:
            Exception: the first that `on_timeout` raised; it was called for every stream before.
        """
        with self._lock:
            found = {id_: self.state_of(id_) for id_ in self._slots.overdue(self.rows)}
            for id_ in found:
                self.close(id_)
                self._slots.remember(id_)
        self._idle.deliver(found)  # without the lock: what it calls may wait for other threads
        return tuple(found)

    # --- going on --------------------------------------------------------------------------------------------------

    def step(self, frames: Tensor, ids: Iterable[Id], **inputs: Tensor) -> Tensor:
        """Take one step of some streams.

        Args:
            frames: the input of this step, [B, I], a row for each id.
            ids: which streams, in any order.
            inputs: the cell's further inputs by name, [B, n] each; of one number also [B].

        Returns:
            The output [B, O], in the order of the ids.

        Raises:
            InputError: a stream is not open, or named twice; or a shape, dtype or device is off. No stream has gone
                on then.
        """
        self.expire()
        with self._lock:
            slots = self._slots.find_all(ids)
            return self._run(self._read.of_many(frames, inputs, len(slots), step=True), slots)[0]

    def feed(self, chunks: Tensor, ids: Iterable[Id], **inputs: Tensor) -> Tensor:
        """Take the next steps of some streams, any number of them.

        Args:
            chunks: the input, [T, B, I] ([B, T, I] with batch_first), a row for each id; T may be 0.
            ids: which streams, in any order.
            inputs: the cell's further inputs by name, in the same form.

        Returns:
            The output [T, B, O] ([B, T, O] with batch_first).

        Raises:
            InputError: as `step`.
        """
        self.expire()
        with self._lock:
            slots = self._slots.find_all(ids)
            y = self._run(self._read.of_many(chunks, inputs, len(slots), step=False), slots)
        return y.transpose(0, 1) if self._net.spec.batch_first else y

    def _run(self, inputs: Mapping[str, Tensor], slots: list[int]) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            index = torch.tensor(slots, dtype=torch.int64, device=self._table.device)
            # A copy: the old states stay until the new ones are whole.
            states = self._table.index_select(0, index)
            y = self._runner.run(inputs, states)
            self._table.index_copy_(0, index, states)
        self.rows += len(y)
        self._slots.touch(slots, len(y), self.rows)
        return y

    # --- state -----------------------------------------------------------------------------------------------------

    def steps_of(self, id_: Id) -> int:
        """Return how many steps a stream has taken; InputError where it is not open."""
        with self._lock:
            return self._slots.steps(self._slots.find(id_))

    def state_of(self, id_: Id) -> StreamState:
        """Return where a stream stands, as the state of a `NetworkStream`; InputError where it is not open."""
        with self._lock:
            slot = self._slots.find(id_)
            return StreamState(NETWORK, self._owner.fingerprint, self._slots.steps(slot), tensors=self._tensors([slot]))

    def reset(self, id_: Id | None = None) -> None:
        """Begin a stream anew, at zero; without an id, close all streams. InputError where it is not open."""
        if id_ is None:
            super().reset()
            return
        with self._lock:
            slot = self._slots.find(id_)
            self._table[slot] = 0
            self._slots.restart(slot, self.rows)

    def _separate(self) -> dict[str, Any]:
        return {"_runner": self._runner.copy()}  # for another thread; weights are shared

    def __copy__(self) -> Self:
        return self.fork()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.fork()

    def __reduce__(self) -> tuple[Any, ...]:
        raise UsageError("a pool of streams is not pickled: save its state, and load it into another net.streams(...)")

    def _start(self, state: StreamState | State | None) -> tuple[Tensor | None, int]:
        """Return a row [W] of states, and how many steps led there; None for zeros."""
        if state is None:
            return None, 0
        layout, own, steps = self._runner.layout, State.of(self._tensors([0])), 0
        if isinstance(state, State):
            taken = checked_state(state, own)
        else:
            one = _OneStream(self._owner._replace(task=NETWORK), own)
            one.state = state
            taken, steps = one.own, one.rows
        return layout.rows(taken, self._table[:1])[0], steps

    def _tensors(self, slots: Sequence[int]) -> dict[str, Tensor]:
        """Return the states of some slots, [L, B, n] by name, on the CPU."""
        found = self._runner.layout.tensors(self._table[list(slots)])
        return {name: tensor.cpu() for name, tensor in found.items()}

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        streams = [[id_, self._slots.steps(slot)] for id_, slot in self._slots.of.items()]
        return {"streams": streams}, self._tensors(list(self._slots.of.values())) if streams else {}

    def _go_to(self, state: StreamState, name: str) -> None:
        streams = state.facts.get("streams") if isinstance(state, StreamState) else None
        if isinstance(streams, list) and len(streams) > self.capacity:
            raise UsageError(f"{name} has {len(streams):,} streams, and this pool has room for {self.capacity:,}")
        with self._lock:
            super()._go_to(state, name)
            self._slots.touch(list(self._slots.of.values()), 0, self.rows)  # nobody has stood still yet

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        streams = [stored_stream(one) for one in facts["streams"]]
        own = State.of(self._tensors([0] * len(streams)) if streams else {})
        found, (slots, table) = demand_state(tensors, own), self._at_rest()
        for id_, steps in streams:
            slots.take(id_, steps, 0)
        if streams:
            table[: len(streams)] = self._runner.layout.rows(found, table[: len(streams)])
        self._slots, self._table = slots, table


class _OneStream(ReadingOn):
    """A place for the state of one stream, which is checked as that of a `NetworkStream` is.

    Args:
        owner: the network.
        own: a state like the network's.

    Attributes:
        own: the state that was taken, [L, 1, n] by name.
    """

    def __init__(self, owner: Owner, own: State) -> None:
        super().__init__(owner)
        self.own = own

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {}, dict(self.own)

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.own = demand_state(tensors, self.own)
