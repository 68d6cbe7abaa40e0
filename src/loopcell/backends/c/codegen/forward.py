"""The forward kernel: the prologue (what does not wait for the past) for a few steps at a time, and the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loopcell.backends.c.codegen import addressing
from loopcell.backends.c.codegen.addressing import ScratchWriter, leaf_row, reads, row_of, writes
from loopcell.backends.c.codegen.kernel import LoopKernel
from loopcell.backends.c.codegen.layout import Access, Factors, Region, Role, Slot, SlotKey
from loopcell.backends.c.codegen.region import RegionWriter
from loopcell.backends.c.codegen.region_products import Buffer, indented
from loopcell.equations.graph import Node
from loopcell.equations.keys import OUTPUT, Key, state_keys
from loopcell.equations.names import ascii_name
from loopcell.passes.hoist import Hoisted


class ForwardKernel(LoopKernel):
    """The loop in the order of time.

    Attributes:
        saved_states: names of the states whose values before each step are saved for backward.
        saved: the slots of what is saved for backward, by key: saved.NAME, and state.NAME before each step.
        same_as_output: those of them that the output is as well: saved.NAME at the same step, state.NAME a step later.
    """

    def __init__(
        self, name: str, hoisted: Hoisted, saved_states: frozenset[str], registers: int, factors: Factors
    ) -> None:
        self.prologue = Region(hoisted.prologue, registers, factors)
        self.loop = Region(hoisted.loop, registers, factors)
        self.saved_states = saved_states
        self.states = hoisted.loop.states
        super().__init__(name, (self.prologue, self.loop), self._slots(hoisted))
        results = hoisted.loop.results
        self.saved: dict[Key, SlotKey] = {key: (Role.WRITTEN, key) for key in results if key.kind == "saved"}
        before = (key for key in state_keys(self.states) if key.name in saved_states)
        self.saved |= {key: (Role.STATE_BEFORE, key) for key in before}
        self.same_as_output = tuple(key for key in self.saved if results[key] == results[OUTPUT])
        if self.same_as_output:
            self.aliased = frozenset({(Role.WRITTEN, OUTPUT), *(self.saved[key] for key in self.same_as_output)})
        # A value that is computed ahead and saved is written to the saved tensor at once, and the loop reads it there.
        self.saved_in_prologue = {
            hoisted.loop.nodes[index].name: key
            for key, index in results.items()
            if key.kind == "saved" and hoisted.loop.nodes[index].op == "hoisted"
        }
        ahead = self.prologue.graph
        self.prologue_sizes = tuple(
            self.sizes.index(self.prologue.size(index)) if ahead.nodes[index].dims else -1
            for index in ahead.results.values()
        )
        self.varying = hoisted.varying
        self.prologue_writer = _PrologueWriter(self, self.prologue, 0)
        self.loop_writer = _LoopWriter(self, self.loop, len(self.prologue.packs))

    def _slots(self, hoisted: Hoisted) -> Iterator[Slot]:
        """Yield the tensors in the order of the arguments; what is computed ahead is scratch, and none of them."""
        for state in state_keys(self.states):
            yield Slot(Role.READ, state, Access.ROW)  # before the first step
        for key, node in {**self.prologue.leaves(), **self.loop.leaves()}.items():
            if node.op != "state" and not (node.op == "hoisted" and node.name in hoisted.varying):
                yield Slot(Role.READ, key, addressing.leaf_access(node))
        for key in hoisted.loop.results:
            yield Slot(Role.WRITTEN, key, addressing.forward_access(key))
        for state in state_keys(self.states):
            if state.name in self.saved_states:
                yield Slot(Role.STATE_BEFORE, state, Access.SAVED)

    def saved_columns(self, width: Callable[[Key], int]) -> tuple[dict[Key, int], int]:
        """Return where in a row of what is saved each value begins, and how long such a row is.

        Without gaps: nothing would be written there, and a row is what the operator for torch.compile returns. What the
        output is as well comes last: where the output's memory serves for it the rows end before it, and nothing else
        moves.

        Args:
            width: returns the length of a value, by key: saved.NAME, state.NAME.
        """
        starts: dict[Key, int] = {}
        end = 0
        for key in sorted(self.saved, key=lambda key: key in self.same_as_output):
            starts[key] = end
            end += width(key)
        return starts, end

    def state_size(self, state: str) -> str:
        """Return the C name of a state's length."""
        return f"n_{self.loop.size(self.loop.graph.result('state', state))}"

    def row_list_length(self) -> str:
        """Return how many rows are listed at a time: those of a chunk of steps."""
        return "a->chunk * rows"

    def scratch_buffers(self) -> Iterator[Buffer]:
        """Yield the buffers of the states, of the prologue's results, and of what is spilled."""
        for state in self.states:
            if state not in self.saved_states:
                # Two buffers: a step writes `next` while other units and rows still read `now`.
                for when in ("now", "next"):
                    yield "real", f"{when}_{ascii_name(state)}", f"rows * {self.state_size(state)}"
        for name, index in self.prologue_writer.scratch_values():
            size = f" * n_{self.prologue.size(index)}" if self.prologue.graph.nodes[index].dims else ""
            yield "real", name, f"a->chunk * rows{size}"
        yield from self.loop_writer.scratch_buffers()

    def own_buffers(self) -> Iterator[Buffer]:
        """Yield the buffers of scalars and of rounded operands."""
        yield from (("real", name, "a->chunk * rows") for name in self.prologue_writer.scalar_names())
        yield from self.prologue_writer.rounding_buffers("a->chunk * rows")
        yield from self.loop_writer.own_buffers()
        yield from self.loop_writer.rounding_buffers("rows")

    def body(self) -> Iterator[str]:
        """Yield the loop over time, a chunk of steps after the other.

        Rows stand in the order of their lengths, longest first, so that at step t the first `count` rows of the list
        run, and the first `staying` of them run at t + 1 as well. `later` is where the rows of step t + 1 begin in the
        saved tensors: a state that stays is written there at once, as the next step's state before.
        """
        yield "{"
        yield "    const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;"
        yield "    (void)later;"
        yield "    if (!me->number) for (int64_t r = 0; r < s.count; r++) {"
        yield "        const int64_t b = batch_row(a, s, r);"
        for state in self.states:
            from_ = reads(Key("state", state))
            # As if a step had been done before step 0: to the slot or saved row that step 0 reads (`staying` and
            # `later` are those of step 0 here), and straight to the final state for a row that has no steps at all.
            to = self.loop_writer.state_after(state).replace("next_", "now_")
            yield f"        memcpy({to}, {from_} + b * {from_}_b, (size_t){self.state_size(state)} * sizeof(real));"
        yield "    }"
        yield "    meet(me);"
        yield "}"
        yield from self._padding()
        yield "for (int64_t t0 = 0; t0 < a->T; t0 += a->chunk) {"
        yield "    const int64_t t1 = t0 + a->chunk < a->T ? t0 + a->chunk : a->T;"
        yield "    {"
        yield "        const row *list = all;"
        yield "        int64_t count = 0;"
        yield "        for (int64_t step = t0; step < t1; step++) count += rows_at(a, s, step, all + count);"
        yield "        (void)list;"
        yield from indented(self.prologue_writer.lines(), 2)
        yield "    }"
        yield "    int64_t begin = 0;"
        yield "    for (int64_t step = t0; step < t1; step++) {"
        yield "        const row *list = all + begin;"
        yield "        const int64_t count = running(a, s, step), staying = running(a, s, step + 1);"
        yield "        const int64_t later = first_row(a, step + 1) + s.from;"
        yield "        (void)later;"
        yield from indented(self._resets(), 2)
        yield from indented(self.loop_writer.lines(), 2)
        for state in self.states:
            if state not in self.saved_states:  # two slots, in turn; a saved state has a row for every step
                yield "        " + addressing.swap(ascii_name(state))
        yield "        begin += count;"
        yield "    }"
        yield "}"

    def _padding(self) -> Iterator[str]:
        """Yield the zeros past the ends of rows, so that nobody has to fill a whole output before the loop does."""
        yield "if (!me->number && a->length) for (int64_t t = 0; t < a->T; t++) {"
        yield "    for (int64_t r = running(a, s, t); r < s.count; r++) {"
        yield "        const int64_t b = batch_row(a, s, r);"
        for key, index in self.loop.graph.results.items():
            if addressing.forward_access(key) is Access.SEQUENCE:
                size = f"n_{self.loop.size(index)}" if self.loop.graph.nodes[index].dims else "1"
                yield f"        memset({row_of(writes(key), Access.SEQUENCE)}, 0, (size_t){size} * sizeof(real));"
        yield "    }"
        yield "}"

    def _resets(self) -> Iterator[str]:
        yield "if (a->reset) {"
        yield "    if (!me->number) for (int64_t i = 0; i < count; i++) {"
        yield "        AT(i);"
        yield "        if (!a->reset[t * a->B + b]) continue;"
        for state in self.states:
            before = self.loop_writer.state_before(state)
            yield f"        memset({before}, 0, (size_t){self.state_size(state)} * sizeof(real));"
        yield "    }"
        yield "    meet(me);"
        yield "}"


class _PrologueWriter(RegionWriter):
    """Writes what does not wait for the past, for a chunk of steps; results lie in scratch, or in saved tensors."""

    def __init__(self, kernel: ForwardKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def scratch_values(self) -> Iterator[tuple[str, int]]:
        """Yield the scratch that lasts until the loop has read it, or until the next sweep has: (name, value)."""
        for key, index in self.graph.results.items():
            if self.graph.nodes[index].args and key.name not in self.kernel.saved_in_prologue:
                yield self._scratch(key), index
        results = set(self.graph.results.values())
        yield from ((f"ahead_v{index}", index) for index in self.region.spilled if index not in results)

    def scalar_names(self) -> Iterator[str]:
        """Yield the scratch of the rows' scalars."""
        return (f"ahead_s{index}" for index in self.scalars)

    def leaf_row(self, node: Node) -> str:
        return leaf_row(node)

    def spill_row(self, index: int) -> str:
        for key, result in self.graph.results.items():
            if result == index:
                return self.result_row(key)
        return f"ahead_v{index} + r * n_{self.region.size(index)}"

    def spill_is_result(self, index: int) -> bool:
        return index in self.graph.results.values()

    def scalar(self, index: int) -> str:
        return f"ahead_s{index}[r]"

    def result_row(self, key: Key, place: str = "r") -> str:
        """Return the address of a hoisted value's row.

        Args:
            key: of the value.
            place: the row's number in the chunk, as C.
        """
        index = self.graph.results[key]
        if not self.graph.nodes[index].args:  # a leaf was hoisted as it is: no copy of it is made
            return leaf_row(self.graph.nodes[index])
        if key.name in self.kernel.saved_in_prologue:
            return row_of(writes(self.kernel.saved_in_prologue[key.name]), Access.SAVED)
        size = f"n_{self.region.size(index)}" if self.graph.nodes[index].dims else "1"
        return f"{self._scratch(key)} + {place} * {size}"

    def store(self, key: Key, value: str) -> Iterator[str]:
        yield f"store({self.result_row(key)} + u, {value}, k);"

    def leaf_results(self) -> list[Key]:
        return [key for key in super().leaf_results() if self.graph.nodes[self.graph.results[key]].args]

    def _scratch(self, key: Key) -> str:
        return f"ahead_{ascii_name(key.name)}"


class _LoopWriter(ScratchWriter):
    """Writes the step that waits for the past."""

    def __init__(self, kernel: ForwardKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def leaf_row(self, node: Node) -> str:
        if node.op == "state":
            return self.state_before(node.name)
        if node.op == "hoisted" and node.name in self.kernel.varying:
            # A chunk's values lie step after step, each step's rows in the list's order; `begin` is this step's first.
            return self.kernel.prologue_writer.result_row(node.key, "(begin + r)")
        return leaf_row(node)

    def state_before(self, state: str) -> str:
        """Return the address of a row's state before the step."""
        if state in self.kernel.saved_states:
            return row_of(addressing.state_before(state), Access.SAVED)
        return f"now_{ascii_name(state)} + r * {self.kernel.state_size(state)}"

    def state_after(self, state: str) -> str:
        """Return the address to which a row's state goes: the next step's, or the final state after its last step."""
        final = writes(Key("state", state))
        there = f"next_{ascii_name(state)} + r * {self.kernel.state_size(state)}"
        if state in self.kernel.saved_states:
            saved = addressing.state_before(state)
            # Row r of a share is row s.from + r * s.every of the step, and `later` counts s.from already.
            there = f"{saved} + (later + r * s.every) * {saved}_b"
        return f"(r < staying ? {there} : {final} + b * {final}_b)"

    def store(self, key: Key, value: str) -> Iterator[str]:
        row = self.state_after(key.name) if key.kind == "state" else row_of(writes(key), self.access(key))
        yield f"store({row} + u, {value}, k);"

    def access(self, key: Key) -> Access:
        return addressing.forward_access(key)

    def leaf_results(self) -> list[Key]:
        saved = set(self.kernel.saved_in_prologue.values())
        return [key for key in super().leaf_results() if key not in saved]
