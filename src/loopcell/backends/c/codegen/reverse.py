"""The reverse kernel: the derived step against the order of time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from loopcell.backends.c.codegen import addressing
from loopcell.backends.c.codegen.addressing import ScratchWriter, leaf_row, reads, row_of, sum_name, writes
from loopcell.backends.c.codegen.kernel import LoopKernel
from loopcell.backends.c.codegen.layout import Access, Factors, Pack, Region, Role, Slot
from loopcell.backends.c.codegen.region_products import Buffer, indented
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key, cotangent_of, state_keys
from loopcell.equations.names import ascii_name
from loopcell.passes.sweeps import Sweep

REVERSE_STEPS_AT_ONCE = 32
"""Steps whose gradients of vectors are added in the kernel's precision before they join the sum in double."""


class ReverseKernel(LoopKernel):
    """The derived step against the order of time.

    Attributes:
        reduced: keys of the results that are summed over rows and steps.
        state_of_cotangent: by the cotangent's key, the state whose final value it belongs to; it is also the state
            whose cotangent travels from step to step.
    """

    def __init__(self, graph: Graph, registers: int, factors: Factors) -> None:
        self.region = Region(graph, registers, factors)
        self.states = graph.states
        self.reduced = tuple(key for key in graph.results if key.kind == "parameter")
        self.state_of_cotangent = {cotangent_of(state): state.name for state in state_keys(self.states)}
        slots = [Slot(Role.READ, key, Access.ROW) for key in self.state_of_cotangent]
        slots += [
            Slot(Role.READ, key, addressing.leaf_access(node))
            for key, node in self.region.leaves().items()
            if key not in self.state_of_cotangent
        ]
        slots += [Slot(Role.WRITTEN, key, addressing.backward_access(key)) for key in graph.results]
        super().__init__("reverse", (self.region,), slots)
        self.writer = _ReverseWriter(self, self.region, 0)

    def state_size(self, state: str) -> str:
        """Return the C name of a state's length."""
        return f"n_{self.region.size(self.region.graph.result('state', state))}"

    def scratch_buffers(self) -> Iterator[Buffer]:
        """Yield the buffers of the states' cotangents, of the reductions, and of what is spilled."""
        for state in self.states:
            for when in ("now", "next"):
                yield "real", f"{when}_{ascii_name(state)}", f"rows * {self.state_size(state)}"
        for key in self.reduced:
            # Vectors are added fast in the kernel's precision for some steps, and rarely in double: a float32 sum of
            # thousands of terms would lose the small ones.
            yield "real", sum_name(key), self._width(key)
            yield "double", f"{sum_name(key)}_total", self._width(key)
        yield from self.writer.scratch_buffers()

    def own_buffers(self) -> Iterator[Buffer]:
        """Yield the buffers of scalars and of rounded operands."""
        yield from self.writer.own_buffers()
        yield from self.writer.rounding_buffers("rows")

    def _width(self, key: Key) -> str:
        index = self.region.graph.results[key]
        return f"n_{self.region.size(index)}" if self.region.graph.nodes[index].dims else "1"

    def body(self) -> Iterator[str]:
        """Yield the loop against the order of time.

        Rows stand longest first, so that more and more of them run as the step falls: `before` of them did at the step
        after this one, and a row that joins takes the gradient of its own final state.
        """
        if self.reduced:
            yield "if (!me->number) {"
            for key in self.reduced:
                yield f"    memset({sum_name(key)}, 0, (size_t){self._width(key)} * sizeof(real));"
                yield f"    memset({sum_name(key)}_total, 0, (size_t){self._width(key)} * sizeof(double));"
            yield "}"
            yield "meet(me);"
        yield "row *list = all;"
        yield "int64_t before = 0;"
        yield "for (int64_t step = a->T - 1; step >= 0; step--) {"
        yield "    const int64_t count = rows_at(a, s, step, list);"
        yield "    if (before < count) { /* rows that end here */"
        yield "        if (!me->number) for (int64_t i = before; i < count; i++) {"
        yield "            AT(i);"
        for key, state in self.state_of_cotangent.items():
            from_, size = reads(key), self.state_size(state)
            to = f"now_{ascii_name(state)} + r * {size}"
            yield f"            memcpy({to}, {from_} + b * {from_}_b, (size_t){size} * sizeof(real));"
        yield "        }"
        yield "        before = count;"
        yield "        meet(me);"
        yield "    }"
        yield from indented(self.writer.lines())
        # After the step, which has just written the cotangent of the state before it: at a reset that one is cut.
        yield from indented(self._resets())
        for state in self.states:
            yield "    " + addressing.swap(ascii_name(state))
        if self.reduced:
            yield f"    if (step % {REVERSE_STEPS_AT_ONCE} == 0) {{"
            yield "        if (!me->number) {"
            for key in self.reduced:
                yield f"            add_to({sum_name(key)}_total, {sum_name(key)}, {self._width(key)});"
            yield "        }"
            yield "        meet(me);"
            yield "    }"
        yield "}"
        yield from self._finish()

    def _finish(self) -> Iterator[str]:
        yield "if (me->number) return;"
        yield "if (a->start) for (int64_t r = 0; r < s.count; r++) {"
        yield "    const int64_t b = batch_row(a, s, r);"
        for key, state in self.state_of_cotangent.items():
            from_, to, size = reads(key), writes(Key("state", state)), self.state_size(state)
            # A row that never ran has no cotangent in the loop: the final state's gradient is the initial state's.
            value = f"r < before ? now_{ascii_name(state)} + r * {size} : {from_} + b * {from_}_b"
            yield f"    memcpy({to} + b * {to}_b, {value}, (size_t){size} * sizeof(real));"
        yield "}"
        for key in self.reduced:
            to, total = writes(key), f"{sum_name(key)}_total"
            yield f"for (int64_t u = 0; u < {self._width(key)}; u++) {to}[piece * {to}_b + u] = (real){total}[u];"

    def _resets(self) -> Iterator[str]:
        """Yield the lines that cut the cotangent at a reset: the state before it had no say in the step."""
        yield "if (a->reset) {"
        yield "    if (!me->number) for (int64_t i = 0; i < count; i++) {"
        yield "        AT(i);"
        yield "        if (!a->reset[t * a->B + b]) continue;"
        for state in self.states:
            size = self.state_size(state)
            yield f"        memset(next_{ascii_name(state)} + r * {size}, 0, (size_t){size} * sizeof(real));"
        yield "    }"
        yield "    meet(me);"
        yield "}"


class _ReverseWriter(ScratchWriter):
    """Writes the derived step."""

    def __init__(self, kernel: ReverseKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def _with_products(self, sweep: Sweep, packs: list[tuple[int, Pack]]) -> Iterator[str]:
        # At step 0 nothing waits for the cotangent of the state before, unless the initial state wants a gradient.
        lines = super()._with_products(sweep, packs)
        if not self._serves_states_alone(sweep):
            return lines
        return itertools.chain(["if (step || a->start) {"], indented(lines), ["}"])

    def _serves_states_alone(self, sweep: Sweep) -> bool:
        """Say whether a sweep computes nothing but what travels to the step before: the first step may do without."""
        computed = {*sweep.pointwise, *(index for part in sweep.contractions for index in part.results)}
        stored = [key for key, index in self.graph.results.items() if index in computed]
        crosses = computed & set(self.region.spilled)
        return not (sweep.sums or sweep.scalars or crosses) and all(key.kind == "state" for key in stored)

    def leaf_row(self, node: Node) -> str:
        state = self.kernel.state_of_cotangent.get(node.key)
        if state is None:
            return leaf_row(node)
        return f"now_{ascii_name(state)} + r * {self.kernel.state_size(state)}"

    def store(self, key: Key, value: str) -> Iterator[str]:
        if key in self.kernel.reduced:
            yield f"store({sum_name(key)} + u, load({sum_name(key)} + u, k) + {value}, k);"
        elif key.kind == "hoisted":
            # One value for the whole sequence: the gradients of all steps add up in a row of the batch.
            at = f"{row_of(writes(key), Access.ROW)} + u"
            yield f"store({at}, load({at}, k) + {value}, k);"
        elif key.kind == "state":
            yield f"store(next_{ascii_name(key.name)} + r * {self.kernel.state_size(key.name)} + u, {value}, k);"
        else:
            yield f"store({row_of(writes(key), Access.SAVED)} + u, {value}, k);"

    def access(self, key: Key) -> Access:
        return addressing.backward_access(key)
