"""Emit: a program's loops as C functions over a whole sequence, named after the equations.

The skeleton is fixed: rows are shared out to threads; each thread walks the steps; each step is the graph's sweeps.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from loopcell.backends.c.layout import ADDED, KEPT, ROW, SEQUENCE, WHOLE, Pack, Region, Slot
from loopcell.backends.c.region import RegionWriter, indented
from loopcell.equations.graph import Graph, Node
from loopcell.equations.names import ascii_name
from loopcell.passes.hoist import Hoisted

REVERSE_STEPS_AT_ONCE = 32
"""Steps whose gradients of vectors are added in the kernel's precision before they join the sum in double."""


class Kernel:
    """What the forward and the reverse kernel share: slots, packs, the frame of the C function.

    Attributes:
        name: of the C function.
        regions: its graphs.
        slots: the tensors it is given, in order.
        packs: the packed weights, in order.
        sizes: names of the sizes, in order.
        matrices: names of the parameters that products read, in the order in which the kernel is given them.
        no_packs: room for the addresses of packed weights.
        computed_ahead: the sizes, by their places, of what is computed before the loop; -1 for a scalar.
    """

    def __init__(self, name: str, regions: tuple[Region, ...], slots: Iterable[Slot]) -> None:
        self.name = name
        self.regions = regions
        self.slots = tuple(slots)
        self.packs: tuple[Pack, ...] = tuple(pack for region in regions for pack in region.packs)
        self.sizes = tuple(dict.fromkeys(size for region in regions for size in region.sizes()))
        self.matrices = tuple(name for pack in self.packs for name in pack.matrices)
        self.no_packs = (0,) * len(self.packs)
        self.computed_ahead: tuple[int, ...] = ()

    def products(self) -> Iterator[tuple[int, int]]:
        """Yield (vectors, most rows) of every product function that is called."""
        return ((pack.blocking.vectors, pack.blocking.rows) for pack in self.packs)

    def text(self) -> str:
        """Return the C text."""
        parts = [self._share(), self._pack_room(), self._pack(), [self._shared()]]
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _shared(self) -> str:
        return f"SHARED({self.name}, {len(self.sizes)}, {len(self.slots) + len(self.matrices)})"

    # -- the frame -------------------------------------------------------------------------------------

    def _share(self) -> Iterator[str]:
        pieces = [(kind, name, f"2 * {count}" if kind == "double" else count) for kind, name, count in self.pieces()]
        yield f"static int64_t {self.name}_bytes(const arguments *a, int64_t rows) {{"
        yield from indented(self._sizes())
        yield f"    const int64_t listed = room_for({self.listed()} + 1, sizeof(row));"
        total = " + ".join(["listed", *(f"room({count})" for _, _, count in pieces)])
        yield f"    return {total} + 64;"
        yield "}"
        yield ""
        yield f"static void {self.name}_share(arguments *restrict a, share s, int64_t piece, char *memory) {{"
        yield "    const int64_t rows = s.count;"
        yield from indented(self._sizes())
        yield from indented(self._tensors())
        yield "    row *all = (row *)memory;"
        yield f"    memory += room_for({self.listed()} + 1, sizeof(row));"
        for kind, name, count in pieces:
            cast = "(double *)" if kind == "double" else ""
            yield f"    {kind} *{name} = {cast}cut(&memory, {count});"
        yield "    (void)memory, (void)piece, (void)rows;"
        yield from indented(self.body())
        yield "}"

    def body(self) -> Iterator[str]:
        """Yield what a thread does with its share."""
        raise NotImplementedError

    def pieces(self) -> Iterator[tuple[str, str, str]]:
        """Yield the scratch memory of a share: (C type, name, how many)."""
        raise NotImplementedError

    def listed(self) -> str:
        """Return how many rows are listed at a time."""
        return "rows"

    def _sizes(self) -> Iterator[str]:
        for place, size in enumerate(self.sizes):
            yield f"const int64_t n_{size} = a->size[{place}];"
        yield "".join(f"(void)n_{size}; " for size in self.sizes).rstrip() or "(void)a;"

    def _tensors(self) -> Iterator[str]:
        for place, slot in enumerate(self.slots):
            name = tensor(slot.key)
            const = "" if slot.key.startswith(("=", "before.")) else "const "
            yield f"{const}real *restrict {name} = a->at[{place}];"
            if slot.walk == SEQUENCE:
                yield f"const int64_t {name}_t = a->stride[{2 * place}], {name}_b = a->stride[{2 * place + 1}];"
            elif slot.walk != WHOLE:
                yield f"const int64_t {name}_b = a->stride[{2 * place + 1}];"
        for number, pack in enumerate(self.packs):
            yield f"const real *pack_{number} = a->pack[{number}];"
            for place, _ in enumerate(pack.matrices):
                yield self._matrix(number, place)
                yield self._leading(number, place)

    def _matrix_place(self, number: int, place: int) -> int:
        before = sum(len(pack.matrices) for pack in self.packs[:number])
        return len(self.slots) + before + place

    def _matrix(self, number: int, place: int) -> str:
        return f"const real *matrix_{number}_{place} = a->at[{self._matrix_place(number, place)}];"

    def _leading(self, number: int, place: int) -> str:
        return f"const int64_t ld_{number}_{place} = a->stride[{2 * self._matrix_place(number, place)}];"

    # -- packing ---------------------------------------------------------------------------------------

    def _pack_room(self) -> Iterator[str]:
        rooms = [f"room({self._packed(pack)})" for pack in self.packs]
        yield f"static int64_t {self.name}_pack_bytes(const arguments *a) {{"
        yield from indented(self._sizes())
        yield f"    return {' + '.join(rooms) or '0'} + 64;"
        yield "}"
        yield ""
        yield f"static void {self.name}_pack_places(arguments *a, char *memory) {{"
        yield from indented(self._sizes())
        for number, pack in enumerate(self.packs):
            yield f"    a->pack[{number}] = cut(&memory, {self._packed(pack)});"
        yield "    (void)memory;"
        yield "}"

    def _packed(self, pack: Pack) -> str:
        """Return how many numbers a pack has."""
        block = f"({pack.blocking.neighbours} * LANES)"
        blocks = f"((n_{pack.units} + {block} - 1) / {block} * {block})"
        return f"{blocks} * {pack.blocking.gates} * ({' + '.join(f'n_{size}' for size in pack.depth)})"

    def _pack(self) -> Iterator[str]:
        yield f"static int {self.name}_pack(arguments *a, int64_t piece) {{"
        yield from indented(self._sizes())
        for number, pack in enumerate(self.packs):
            yield from indented(self._pack_one(number, pack))
        yield "    (void)piece;"
        yield "    return 0;"
        yield "}"

    def _pack_one(self, number: int, pack: Pack) -> Iterator[str]:
        blocking = pack.blocking
        depth = " + ".join(f"n_{size}" for size in pack.depth)
        yield f"if (piece * {blocking.neighbours} * LANES < n_{pack.units}) {{"
        for place, _ in enumerate(pack.matrices):
            yield f"    {self._matrix(number, place)}"
            yield f"    {self._leading(number, place)}"
        yield f"    const int64_t u0 = piece * {blocking.neighbours} * LANES;"
        yield f"    real *to = (real *)a->pack[{number}] + u0 * {blocking.gates} * ({depth});"
        yield f"    for (int q = 0; q < {blocking.neighbours}; q++) {{"
        done = ""
        for place, _ in enumerate(pack.matrices):
            deep = f"n_{pack.depth[place if pack.contraction.transposed else 0]}"
            gate = 0 if pack.contraction.transposed else place
            function = "pack_columns" if pack.contraction.transposed else "pack_rows"
            at = f"to + ({gate * blocking.neighbours} + q) * LANES{done}"
            yield (
                f"        {function}({at}, matrix_{number}_{place}, ld_{number}_{place}, n_{pack.units}, {deep}, "
                f"{blocking.vectors}, u0 + q * LANES);"
            )
            if pack.contraction.transposed:
                done += f" + {deep} * {blocking.vectors} * LANES"
        yield "    }"
        yield "    return 1;"
        yield "}"
        yield f"piece -= (n_{pack.units} + {blocking.neighbours} * LANES - 1) / ({blocking.neighbours} * LANES);"


class ForwardKernel(Kernel):
    """The loop in the order of time.

    Attributes:
        kept_states: names of the states whose values before each step are kept.
    """

    def __init__(self, name: str, hoisted: Hoisted, kept_states: frozenset[str], registers: int) -> None:
        self.ahead = Region(hoisted.prologue, registers)
        self.loop = Region(hoisted.loop, registers)
        self.kept_states = kept_states
        self.states = hoisted.loop.states
        leaves = {**self.ahead.leaves(), **self.loop.leaves()}
        slots = [Slot(f"state.{state}", ROW) for state in self.states]
        slots += [
            Slot(key, _walk(node))
            for key, node in leaves.items()
            if node.op != "state" and not (node.op == "hoisted" and node.name in hoisted.varying)
        ]
        slots += [Slot(f"={key}", _result_walk(key)) for key in hoisted.loop.results]
        slots += [Slot(f"before.{state}", KEPT) for state in self.states if state in kept_states]
        super().__init__(name, (self.ahead, self.loop), slots)
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
        yield from self.loop_writer.pieces()

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
            yield f"    memset({self.loop_writer.state_before(state)}, 0, (size_t){self.state_size(state)} * sizeof(real));"
        yield "}"


class ReverseKernel(Kernel):
    """The derived step against the order of time.

    Attributes:
        added: keys of the results that are summed over rows and steps.
    """

    def __init__(self, graph: Graph, registers: int) -> None:
        self.region = Region(graph, registers)
        self.states = graph.states
        self.added = tuple(key for key in graph.results if key.startswith("parameter."))
        leaves = self.region.leaves()
        slots = [Slot(f"cotangent.state.{state}", ROW) for state in self.states]
        slots += [Slot(key, _walk(node)) for key, node in leaves.items() if not key.startswith("cotangent.state.")]
        slots += [Slot(f"={key}", _gradient_walk(key)) for key in graph.results]
        super().__init__("reverse", (self.region,), slots)
        self.writer = _Reverse(self, self.region, 0)

    def state_size(self, state: str) -> str:
        """Return the C name of a state's length."""
        return f"n_{self.region.size(self.region.graph.results[f'state.{state}'])}"

    def pieces(self) -> Iterator[tuple[str, str, str]]:
        """Yield the states' cotangents, the sums, and what crosses from sweep to sweep."""
        for state in self.states:
            for when in ("now", "next"):
                yield "real", f"{when}_{ascii_name(state)}", f"rows * {self.state_size(state)}"
        for key in self.added:
            yield "real", summed(key), self._width(key)
            yield "double", f"{summed(key)}_total", self._width(key)
        yield from self.writer.pieces()

    def _width(self, key: str) -> str:
        index = self.region.graph.results[key]
        return f"n_{self.region.size(index)}" if self.region.graph.nodes[index].dims else "1"

    def body(self) -> Iterator[str]:
        """Yield the walk back through time."""
        for key in self.added:
            yield f"memset({summed(key)}, 0, (size_t){self._width(key)} * sizeof(real));"
            yield f"memset({summed(key)}_total, 0, (size_t){self._width(key)} * sizeof(double));"
        yield "row *list = all;"
        yield "int64_t before = 0;"
        yield "for (int64_t step = a->T - 1; step >= 0; step--) {"
        yield "    const int64_t count = rows_at(a, s, step, list);"
        yield "    for (; before < count; before++) { /* rows that end here */"
        yield "        AT(before);"
        for state in self.states:
            from_, size = tensor(f"cotangent.state.{state}"), self.state_size(state)
            to = f"now_{ascii_name(state)} + r * {size}"
            yield f"        memcpy({to}, {from_} + b * {from_}_b, (size_t){size} * sizeof(real));"
        yield "    }"
        yield from indented(self.writer.lines())
        yield from indented(self._resets())
        for state in self.states:
            yield "    " + swap(ascii_name(state))
        if self.added:
            yield f"    if (step % {REVERSE_STEPS_AT_ONCE} == 0) {{"
            for key in self.added:
                yield f"        add_to({summed(key)}_total, {summed(key)}, {self._width(key)});"
            yield "    }"
        yield "}"
        yield from self._finish()

    def _finish(self) -> Iterator[str]:
        yield "for (int64_t r = 0; r < s.count; r++) {"
        yield "    const int64_t b = batch_row(a, s, r);"
        for state in self.states:
            from_, to, size = tensor(f"cotangent.state.{state}"), tensor(f"=state.{state}"), self.state_size(state)
            value = f"r < before ? now_{ascii_name(state)} + r * {size} : {from_} + b * {from_}_b"
            yield f"    memcpy({to} + b * {to}_b, {value}, (size_t){size} * sizeof(real));"
        yield "}"
        for key in self.added:
            to = tensor(f"={key}")
            yield f"for (int64_t u = 0; u < {self._width(key)}; u++) {to}[piece * {to}_b + u] = (real){summed(key)}_total[u];"

    def _resets(self) -> Iterator[str]:
        yield "if (a->reset) for (int64_t i = 0; i < count; i++) {"
        yield "    AT(i);"
        yield "    if (!a->reset[t * a->B + b]) continue;"
        for state in self.states:
            size = self.state_size(state)
            yield f"    memset(next_{ascii_name(state)} + r * {size}, 0, (size_t){size} * sizeof(real));"
        yield "}"


# -- where things lie --------------------------------------------------------------------------------


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


class _Scratched(RegionWriter):
    """Crossing values lie in scratch, or in a kept result that is the same value."""

    def pieces(self) -> Iterator[tuple[str, str, str]]:
        """Yield the scratch memory: (C type, name, how many)."""
        for index in self.region.crossing:
            if not self.crossing_is_result(index):
                yield "real", f"scratch_{index}", f"rows * n_{self.region.size(index)}"
        for index in self.scalars:
            yield "real", f"sum_{index}", "rows"

    @abstractmethod
    def walk(self, key: str) -> str:
        """Return how a result is walked."""

    def crossing_row(self, index: int) -> str:
        for key, result in self.graph.results.items():
            if result == index and self.walk(key) == KEPT:
                return _place(f"={key}", KEPT)
        return f"scratch_{index} + r * n_{self.region.size(index)}"

    def crossing_is_result(self, index: int) -> bool:
        return any(result == index and self.walk(key) == KEPT for key, result in self.graph.results.items())

    def scalar(self, index: int) -> str:
        return f"sum_{index}[r]"


class _Loop(_Scratched):
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
            return _place(f"before.{state}", KEPT)
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
            yield f"store({_place(f'={key}', self.walk(key))} + u, {value}, k);"

    def walk(self, key: str) -> str:
        return _result_walk(key)

    def leaf_results(self) -> list[str]:
        kept = set(self.kernel.kept_ahead.values())
        return [key for key in super().leaf_results() if key not in kept]


class _Reverse(_Scratched):
    """The derived step."""

    def __init__(self, kernel: ReverseKernel, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.kernel = kernel

    def leaf_row(self, node: Node) -> str:
        if node.key.startswith("cotangent.state."):
            state = node.key.removeprefix("cotangent.state.")
            return f"now_{ascii_name(state)} + r * {self.kernel.state_size(state)}"
        return leaf_row(node)

    def store(self, key: str, value: str) -> Iterator[str]:
        if key in self.kernel.added:
            yield f"store({summed(key)} + u, load({summed(key)} + u, k) + {value}, k);"
        elif key.startswith("hoisted."):
            at = f"{_place(f'={key}', ROW)} + u"
            yield f"store({at}, load({at}, k) + {value}, k);"
        elif key.startswith("state."):
            state = key.removeprefix("state.")
            yield f"store(next_{ascii_name(state)} + r * {self.kernel.state_size(state)} + u, {value}, k);"
        else:
            yield f"store({_place(f'={key}', KEPT)} + u, {value}, k);"

    def walk(self, key: str) -> str:
        return _gradient_walk(key)


def leaf_row(node: Node) -> str:
    """Return where a row of a leaf begins that is a tensor of the call."""
    return _place(node.key, _walk(node))


def _place(key: str, walk: str) -> str:
    name = tensor(key)
    along = {SEQUENCE: f" + t * {name}_t + b * {name}_b", ROW: f" + b * {name}_b", KEPT: f" + p * {name}_b"}
    return name + along.get(walk, "")


def _walk(node: Node) -> str:
    if node.op == "random":
        return SEQUENCE if node.random is not None and node.random.each == "step" else ROW
    if node.op in ("input", "cotangent"):
        return SEQUENCE
    return {"saved": KEPT, "state": KEPT, "hoisted": ROW}.get(node.op, WHOLE)


def _result_walk(key: str) -> str:
    kind = key.partition(".")[0]
    return {"output": SEQUENCE, "record": SEQUENCE, "state": ROW}.get(kind, KEPT)


def _gradient_walk(key: str) -> str:
    kind = key.partition(".")[0]
    return {"state": ROW, "hoisted": ROW, "parameter": ADDED}.get(kind, KEPT)


def tensor(key: str) -> str:
    """Return the C name of a tensor: what is read is `of_`, what is written `to_`."""
    prefix = "to_" if key.startswith("=") else "of_"
    return prefix + ascii_name(key.lstrip("=").replace(".", "_"))


def summed(key: str) -> str:
    """Return the C name of a sum."""
    return "sum_" + ascii_name(key.partition(".")[2].replace(".", "_"))


def swap(name: str) -> str:
    """Return the line that makes the next step's values this step's."""
    return f"{{ real *last = now_{name}; now_{name} = next_{name}; next_{name} = last; }}"
