"""The forward kernel: what does not wait for the past for a few steps at a time, and the loop."""

from __future__ import annotations

from collections.abc import Iterator

from loopcell.backends.c.codegen.addressing import ScratchWriter, leaf_row, place_of, result_walk, swap, tensor, walk_of
from loopcell.backends.c.codegen.kernel import Kernel
from loopcell.backends.c.codegen.layout import KEPT, ROW, Region, Slot
from loopcell.backends.c.codegen.region import RegionWriter, indented
from loopcell.equations.graph import Node
from loopcell.equations.names import ascii_name
from loopcell.passes.hoist import Hoisted


class ForwardKernel(Kernel):
    """The loop in the order of time.

    Attributes:
        kept_states: names of the states whose values before each step are kept.
        kept: keys of what is kept: "saved.NAME", and "state.NAME" before each step.
        shared: those of them that the output is as well: "saved.NAME" at the same step, "state.NAME" a step later.
    """

    def __init__(self, name: str, hoisted: Hoisted, kept_states: frozenset[str], registers: int, *, bf16: bool) -> None:
        self.ahead = Region(hoisted.prologue, registers, bf16=bf16)
        self.loop = Region(hoisted.loop, registers, bf16=bf16)
        self.kept_states = kept_states
        self.states = hoisted.loop.states
        leaves = {**self.ahead.leaves(), **self.loop.leaves()}
        slots = [Slot(f"state.{state}", ROW) for state in self.states]
        slots += [
            Slot(key, walk_of(node))
            for key, node in leaves.items()
            if node.op != "state" and not (node.op == "hoisted" and node.name in hoisted.varying)
        ]
        slots += [Slot(f"={key}", result_walk(key)) for key in hoisted.loop.results]
        slots += [Slot(f"before.{state}", KEPT) for state in self.states if state in kept_states]
        super().__init__(name, (self.ahead, self.loop), slots)
        results = hoisted.loop.results
        saved = (key for key in results if key.startswith("saved."))
        self.kept = (*saved, *(f"state.{state}" for state in self.states if state in kept_states))
        self.shared = tuple(key for key in self.kept if results[key] == results["output"])
        if self.shared:
            self.in_one_place = frozenset({"=output", *map(kept_slot, self.shared)})
        self.kept_ahead = {
            hoisted.loop.nodes[index].name: key
            for key, index in hoisted.loop.results.items()
            if key.startswith("saved.") and hoisted.loop.nodes[index].op == "hoisted"
        }
        ahead = self.ahead.graph
        self.computed_ahead = tuple(
            self.sizes.index(self.ahead.size(index)) if ahead.nodes[index].dims else -1
            for index in ahead.results.values()
        )
        self.varying = hoisted.varying
        self.ahead_writer = _Ahead(self, self.ahead, 0)
        self.loop_writer = _Loop(self, self.loop, len(self.ahead.packs))

    def state_size(self, state: str) -> str:
        """Return the C name of a state's length."""
        return f"n_{self.loop.size(self.loop.graph.results[f'state.{state}'])}"

    def listed(self) -> str:
        """Return how many rows are listed at a time: those of a chunk of steps."""
        return "a->chunk * rows"

    def pieces(self) -> Iterator[tuple[str, str, str]]:
        """Yield the states, what is computed ahead, and what crosses from sweep to sweep."""
        for state in self.states:
            if state not in self.kept_states:
                for when in ("now", "next"):
                    yield "real", f"{when}_{ascii_name(state)}", f"rows * {self.state_size(state)}"
        for name, index in self.ahead_writer.made():
            size = f" * n_{self.ahead.size(index)}" if self.ahead.graph.nodes[index].dims else ""
            yield "real", name, f"a->chunk * rows{size}"
        yield from self.ahead_writer.narrow_pieces("a->chunk * rows")
        yield from self.loop_writer.pieces()
        yield from self.loop_writer.narrow_pieces("rows")

    def body(self) -> Iterator[str]:
        """Yield the walk through time."""
        yield "{"
        yield "    const int64_t staying = running(a, s, 0), later = first_row(a, 0) + s.from;"
        yield "    (void)later;"
        yield "    for (int64_t r = 0; r < s.count; r++) {"
        yield "        const int64_t b = batch_row(a, s, r);"
        for state in self.states:
            from_ = tensor(f"state.{state}")
            to = self.loop_writer.state_after(state).replace("next_", "now_")
            yield f"        memcpy({to}, {from_} + b * {from_}_b, (size_t){self.state_size(state)} * sizeof(real));"
        yield "    }"
        yield "}"
        yield "for (int64_t t0 = 0; t0 < a->T; t0 += a->chunk) {"
        yield "    const int64_t t1 = t0 + a->chunk < a->T ? t0 + a->chunk : a->T;"
        yield "    {"
        yield "        const row *list = all;"
        yield "        int64_t count = 0;"
        yield "        for (int64_t step = t0; step < t1; step++) count += rows_at(a, s, step, all + count);"
        yield "        (void)list;"
        yield from indented(self.ahead_writer.lines(), 2)
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
            if state not in self.kept_states:
                yield "        " + swap(ascii_name(state))
        yield "        begin += count;"
        yield "    }"
        yield "}"

    def _resets(self) -> Iterator[str]:
        yield "if (a->reset) for (int64_t i = 0; i < count; i++) {"
        yield "    AT(i);"
        yield "    if (!a->reset[t * a->B + b]) continue;"
        for state in self.states:
            before = self.loop_writer.state_before(state)
            yield f"    memset({before}, 0, (size_t){self.state_size(state)} * sizeof(real));"
        yield "}"


def kept_slot(key: str) -> str:
    """Return the key of the slot where a "saved.NAME", or a "state.NAME" before each step, is kept."""
    return f"before.{key.removeprefix('state.')}" if key.startswith("state.") else f"={key}"


class _Ahead(RegionWriter):
    """What does not wait for the past, for a chunk of steps: results lie in scratch, or where they are kept."""

    def __init__(self, kernel: ForwardKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def made(self) -> Iterator[tuple[str, int]]:
        """Yield the scratch that lasts until the loop has read it, or until the next sweep has: (name, value)."""
        for key, index in self.graph.results.items():
            if self.graph.nodes[index].args and key.removeprefix("hoisted.") not in self.kernel.kept_ahead:
                yield self._scratch(key), index
        results = set(self.graph.results.values())
        yield from ((f"ahead_v{index}", index) for index in self.region.crossing if index not in results)
        yield from ((f"ahead_s{index}", index) for index in self.scalars)

    def leaf_row(self, node: Node) -> str:
        return leaf_row(node)

    def crossing_row(self, index: int) -> str:
        for key, result in self.graph.results.items():
            if result == index:
                return self.result_row(key)
        return f"ahead_v{index} + r * n_{self.region.size(index)}"

    def crossing_is_result(self, index: int) -> bool:
        return index in self.graph.results.values()

    def scalar(self, index: int) -> str:
        return f"ahead_s{index}[r]"

    def result_row(self, key: str, place: str = "r") -> str:
        """Return where a row of a hoisted value lies."""
        name, index = key.removeprefix("hoisted."), self.graph.results[key]
        if not self.graph.nodes[index].args:
            return leaf_row(self.graph.nodes[index])
        if name in self.kernel.kept_ahead:
            kept = tensor(f"={self.kernel.kept_ahead[name]}")
            return f"{kept} + p * {kept}_b"
        size = f"n_{self.region.size(index)}" if self.graph.nodes[index].dims else "1"
        return f"{self._scratch(key)} + {place} * {size}"

    def store(self, key: str, value: str) -> Iterator[str]:
        yield f"store({self.result_row(key)} + u, {value}, k);"

    def leaf_results(self) -> list[str]:
        return [key for key in super().leaf_results() if self.graph.nodes[self.graph.results[key]].args]

    def _scratch(self, key: str) -> str:
        return f"ahead_{ascii_name(key.removeprefix('hoisted.'))}"


class _Loop(ScratchWriter):
    """The step that waits for the past."""

    def __init__(self, kernel: ForwardKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def leaf_row(self, node: Node) -> str:
        if node.op == "state":
            return self.state_before(node.name)
        if node.op == "hoisted" and node.name in self.kernel.varying:
            return self.kernel.ahead_writer.result_row(node.key, "(begin + r)")
        return leaf_row(node)

    def state_before(self, state: str) -> str:
        """Return where a row's state lies before the step."""
        if state in self.kernel.kept_states:
            return place_of(f"before.{state}", KEPT)
        return f"now_{ascii_name(state)} + r * {self.kernel.state_size(state)}"

    def state_after(self, state: str) -> str:
        """Return where a row's state goes: to the next step, or out with the last one."""
        final = tensor(f"=state.{state}")
        there = f"next_{ascii_name(state)} + r * {self.kernel.state_size(state)}"
        if state in self.kernel.kept_states:
            kept = tensor(f"before.{state}")
            there = f"{kept} + (later + r * s.every) * {kept}_b"
        return f"(r < staying ? {there} : {final} + b * {final}_b)"

    def store(self, key: str, value: str) -> Iterator[str]:
        if key.startswith("state."):
            yield f"store({self.state_after(key.removeprefix('state.'))} + u, {value}, k);"
        else:
            yield f"store({place_of(f'={key}', self.walk(key))} + u, {value}, k);"

    def walk(self, key: str) -> str:
        return result_walk(key)

    def leaf_results(self) -> list[str]:
        kept = set(self.kernel.kept_ahead.values())
        return [key for key in super().leaf_results() if key not in kept]
