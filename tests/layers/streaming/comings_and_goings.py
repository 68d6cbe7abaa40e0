"""A pool under random comings and goings, beside a single stream for each of its ids: the rules for hypothesis."""

from __future__ import annotations

import pytest
import torch
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loopcell.errors import InputError
from tests.layers.streaming.same import same

CAPACITY, IDLE = 4, 6
IDS = st.sampled_from(["a", "b", "c", "d", "e", 0, 1])


class Comings(RuleBasedStateMachine):
    """Every stream of the pool has a twin of its own, which nobody shares; a clock that moves when a rule says so."""

    net = None  # set by the test
    seconds = None  # of an idle limit

    def __init__(self):
        super().__init__()
        self.now, self.closed = 0.0, {}
        self.pool = self.new_pool()
        self.twins, self.last = {}, {}
        self.draw = torch.Generator().manual_seed(0)

    def new_pool(self):
        return self.net.streams(
            CAPACITY,
            idle_steps=IDLE,
            idle_seconds=self.seconds,
            on_timeout=self.closed.__setitem__,
            clock=lambda: self.now,
        )

    def frames(self, *shape):
        return torch.randn(*shape, self.net.input_size, generator=self.draw)

    def drop_overdue(self):
        """Close the twins whose time is over, by the rule as it is written."""
        late = [
            name
            for name, (step, second) in self.last.items()
            if self.pool.rows - step >= IDLE or (self.seconds is not None and self.now - second >= self.seconds)
        ]
        for name in late:
            twin = self.twins.pop(name)
            del self.last[name]
            yield name, twin

    def expire(self):
        gone = dict(self.drop_overdue())
        self.closed.clear()
        assert set(self.pool.expire()) == set(gone) == set(self.closed)
        for name, twin in gone.items():
            assert self.closed[name].rows == twin.rows
            assert all(same(self.closed[name].tensors[part], tensor) for part, tensor in twin.state.tensors.items())

    def touch(self, name):
        self.last[name] = (self.pool.rows, self.now)

    @rule(name=IDS)
    def opens(self, name):
        self.expire()
        if name in self.twins or len(self.twins) == CAPACITY:
            with pytest.raises(InputError, match=r"open already|all 4 streams are taken"):
                self.pool.open(name)
            return
        self.pool.open(name)
        self.twins[name] = self.net.stream()
        self.touch(name)

    @rule(name=IDS)
    def closes(self, name):
        self.expire()
        if name in self.twins:
            self.pool.close(name)
            del self.twins[name], self.last[name]
            return
        with pytest.raises(InputError, match=r"no open stream|was closed"):
            self.pool.close(name)

    @rule(data=st.data(), steps=st.sampled_from([1, 1, 0, 2, 7]), nan=st.booleans())
    def goes_on(self, data, steps, nan):
        self.expire()
        names = data.draw(
            st.lists(st.sampled_from(sorted(self.twins, key=str)), unique=True) if self.twins else st.just([])
        )
        chunks = self.frames(steps, len(names))
        if nan and names and steps:
            chunks[data.draw(st.integers(0, steps - 1)), 0, 0] = float("nan")
        y = self.pool.step(chunks[0], names)[None] if steps == 1 else self.pool.feed(chunks, names)
        for place, name in enumerate(names):
            assert same(y[:, place], self.twins[name].feed(chunks[:, place].contiguous())), name
            self.touch(name)

    @rule(data=st.data())
    @precondition(lambda self: self.twins)
    def starts_anew(self, data):
        self.expire()
        if self.twins:
            name = data.draw(st.sampled_from(sorted(self.twins, key=str)))
            self.pool.reset(name)
            self.twins[name].reset()
            self.touch(name)

    @rule(seconds=st.integers(0, 5))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(whole=st.booleans())
    def goes_elsewhere(self, whole):
        """Everybody moves: to a fork, or into a pool that begins at the state."""
        self.expire()
        before = self.pool
        self.pool = before.fork() if whole else self.new_pool()
        if not whole:
            self.pool.state = before.state
        assert self.pool.rows == before.rows
        for name in self.twins:
            self.touch(name)

    @invariant()
    def who_is_there(self):
        assert len(self.pool) >= len(self.twins)  # the pool closes at the next call
        for name, twin in self.twins.items():
            assert name in self.pool
            assert self.pool.steps_of(name) == twin.rows
            found = self.pool.state_of(name)
            assert all(same(found.tensors[part], tensor) for part, tensor in twin.state.tensors.items())

    @invariant()
    def free_slots_are_zero(self):
        taken = list(self.pool._slots.of.values())
        free = [slot for slot in range(CAPACITY) if slot not in taken]
        assert not self.pool._table[free].any()
