"""Emit: a graph as one C function over a whole sequence, named after the equations.

The skeleton is fixed: rows are shared out to threads; each thread walks the steps; each step is the graph's sweeps.
What differs between the forward and the reverse loop stands in `Direction`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loopcell.backends.c.layout import Layout, Pack
from loopcell.backends.c.spelling import SPELLING
from loopcell.equations.graph import Graph, Node
from loopcell.equations.names import ascii_name
from loopcell.passes.sweeps import Contraction, Sweep, same_sizes


@dataclass(frozen=True)
class Direction:
    """What the forward and the reverse loop do differently.

    Attributes:
        name: of the C function.
        carried: prefix of the leaves that carry from step to step; "state." or "cotangent.state.".
        steps: the loop's header.
        read, write: which slot of a carried buffer a step reads and writes.
        zero_before: resets take effect before the step (on what is read), else after it (on what is written).
        added: results of these kinds are added up over the steps.
    """

    name: str
    carried: str
    steps: str
    read: str
    write: str
    zero_before: bool
    added: frozenset[str] = frozenset()


def forward(name: str) -> Direction:
    """The loop in the order of time."""
    return Direction(name, "state.", "int64_t t = 0; t < T; t++", "t % slots", "(t + 1) % slots", zero_before=True)


def reverse(name: str, added: frozenset[str]) -> Direction:
    """The loop against the order of time; `added` are keys of results that are summed over the steps."""
    return Direction(
        name,
        "cotangent.state.",
        "int64_t t = T - 1; t >= 0; t--",
        "(t + 1) % 2",
        "t % 2",
        zero_before=False,
        added=added,
    )


def emit(layout: Layout, direction: Direction) -> str:
    """Return the C text of one kernel."""
    return "\n".join(_Kernel(layout, direction).lines()) + "\n"


def products_needed(layouts: list[Layout]) -> list[tuple[int, int]]:
    """Return (vectors, rows) of every product function that the kernels call."""
    shapes = {
        (pack.blocking.vectors, rows)
        for layout in layouts
        for pack in layout.packs
        for rows in range(1, pack.blocking.rows + 1)
    }
    return sorted(shapes)


class _Kernel:
    def __init__(self, layout: Layout, direction: Direction) -> None:
        self.layout = layout
        self.graph: Graph = layout.graph
        self.direction = direction
        self.same = same_sizes(layout.graph)
        self.names = _names(layout.graph)
        self.sweep_of = {
            index: place
            for place, sweep in enumerate(layout.sweeps)
            for index in [
                *sweep.scalars,
                *sweep.pointwise,
                *sweep.sums,
                *(r for c in sweep.contractions for r in c.results),
            ]
        }
        self.materialised = self._materialised()
        self.scalars = [i for i, node in enumerate(self.graph.nodes) if node.args and not node.dims]

    # -- the skeleton --------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        name = self.direction.name
        yield f"static void {name}_rows(arguments *restrict a, int64_t b0, int64_t rows) {{"
        yield from _indented(self._declarations())
        yield f"    for ({self.direction.steps}) {{"
        if self.direction.zero_before:
            yield from _indented(self._resets(self.direction.read), 2)
        yield from _indented(self._copied_operands(), 2)
        for sweep in self.layout.sweeps:
            yield from _indented(self._sweep(sweep), 2)
        yield from _indented(self._leaf_results(), 2)
        if not self.direction.zero_before:
            yield from _indented(self._resets(self.direction.write), 2)
        yield "    }"
        yield "    free(scratch);"
        yield "}"
        yield ""
        yield f"SHARED({name})"

    def _declarations(self) -> Iterator[str]:
        yield "const int64_t T = a->T, B = a->B, slots = a->slots;"
        yield "const int64_t *length = a->length;"
        yield "const uint8_t *reset = a->reset;"
        yield "(void)B; (void)slots; (void)reset; (void)length;"
        for place, size in enumerate(self.layout.sizes):
            yield f"const int64_t n_{size} = a->size[{place}];"
            yield f"(void)n_{size};"
        for place, key in enumerate(self.layout.tensors):
            result = key.startswith("=")
            pointer = f"{'' if result else 'const '}real *{self._tensor(key)}"
            if key.lstrip("=").startswith("state.") and not result:
                pointer = f"real *{self._tensor(key)}"  # resets write zeros into what a step reads
            yield f"{pointer} = a->at[{place}];"
            name = self._tensor(key)
            yield f"const int64_t {name}_t = a->stride[{2 * place}], {name}_b = a->stride[{2 * place + 1}];"
        for place, _ in enumerate(self.layout.packs):
            yield f"const real *pack_{place} = a->at[{len(self.layout.tensors) + place}];"
        yield from self._scratch()

    def _scratch(self) -> Iterator[str]:
        parts = [f"n_{self._size(index)}" for index in self.materialised] + ["1"] * len(self.scalars)
        yield f"real *scratch = calloc((size_t)(rows * ({' + '.join(parts) or '1'})) + 1, sizeof(real));"
        yield "if (!scratch) { a->failed = 1; return; }"
        yield "real *next = scratch;"
        for index in self.materialised:
            yield f"real *m_{index} = next; next += rows * n_{self._size(index)};"
        for index in self.scalars:
            yield f"real *s_{index} = next; next += rows;"
        yield "(void)next;"

    def _resets(self, slot: str) -> Iterator[str]:
        keys = (
            self._carried_leaves()
            if self.direction.zero_before
            else [f"={key}" for key in self.graph.results if key.startswith("state.")]
        )
        if not keys:
            return
        yield "if (reset) for (int64_t r = 0; r < rows; r++) if (reset[t * B + b0 + r]) {"
        for key in keys:
            name = self._tensor(key)
            row = f"{name} + ({slot}) * {name}_t + (b0 + r) * {name}_b"
            yield f"    memset({row}, 0, (size_t)n_{self._key_size(key)} * sizeof(real));"
        yield "}"

    # -- one sweep -----------------------------------------------------------------------------------

    def _sweep(self, sweep: Sweep) -> Iterator[str]:
        for index in sweep.sums:
            yield f"memset(s_{index}, 0, (size_t)rows * sizeof(real));"
        if sweep.scalars:
            yield from self._row_scalars(sweep)
        if not sweep.size:
            return
        packs = [self.layout.packs[self.layout.pack_of(part)] for part in sweep.contractions]
        rows = packs[0].blocking.rows if packs else 1
        neighbours = packs[0].blocking.neighbours if packs else 1
        yield f"for (int64_t u0 = 0; u0 < n_{sweep.size}; u0 += {neighbours} * LANES)"
        yield f"for (int64_t r0 = 0; r0 < rows; r0 += {rows}) {{"
        yield f"    const int m = least({rows}, rows - r0);"
        for part, pack in zip(sweep.contractions, packs, strict=True):
            yield from _indented(self._contraction(part, pack))
        yield "    for (int i = 0; i < m; i++) {"
        yield "        const int64_t r = r0 + i, b = b0 + r;"
        yield "        const int on = !length || t < length[b];"
        yield "        (void)on;"
        yield f"        for (int q = 0; q < {neighbours} && u0 + q * LANES < n_{sweep.size}; q++) {{"
        yield f"            const int64_t u = u0 + q * LANES; const int k = least(LANES, n_{sweep.size} - u);"
        yield from _indented(self._pointwise(sweep, packs), 3)
        yield "        }"
        yield "    }"
        yield "}"

    def _contraction(self, part: Contraction, pack: Pack) -> Iterator[str]:
        number = self.layout.pack_of(part)
        blocking = pack.blocking
        lengths = [f"n_{self._size(operand)}" for operand, _ in part.segments]
        yield f"vec acc_{number}[{blocking.rows} * {blocking.vectors}] = {{0}};"
        yield f"const real *w_{number} = pack_{number} + u0 * {blocking.gates} * ({' + '.join(lengths)});"
        for (operand, _), length in zip(part.segments, lengths, strict=True):
            pointer, stride = self._rows_of(operand)
            yield f"switch (m) {{ /* {', '.join(self.names[index] for index in part.results)} */"
            for rows in range(blocking.rows, 0, -1):
                call = f"product_{blocking.vectors}_{rows}(w_{number}, {pointer}, {stride}, {length}, acc_{number})"
                yield f"    case {rows}: {call}; break;"
            yield "}"
            yield f"w_{number} += {length} * {blocking.vectors} * LANES;"

    def _rows_of(self, operand: int) -> tuple[str, str]:
        """Return where row r0 of an operand starts, and the distance between rows."""
        node = self.graph.nodes[operand]
        if operand in self.materialised:
            size = f"n_{self._size(operand)}"
            return f"m_{operand} + r0 * {size}", size
        name = self._tensor(node.key)
        return f"{name} + {self._step(node)} * {name}_t + (b0 + r0) * {name}_b", f"{name}_b"

    def _pointwise(self, sweep: Sweep, packs: list[Pack]) -> Iterator[str]:
        known: set[int] = set()
        for part, pack in zip(sweep.contractions, packs, strict=True):
            number = self.layout.pack_of(part)
            blocking = pack.blocking
            for gate, index in enumerate(part.results):
                lane = f"i * {blocking.vectors} + {gate * blocking.neighbours} + q"
                yield f"const vec {self.names[index]} = acc_{number}[{lane}];"
                known.add(index)
                yield from self._stores(index)
        for index in [*sweep.pointwise, *sweep.sums]:
            node = self.graph.nodes[index]
            for arg in node.args:
                if arg not in known and self.graph.nodes[arg].op != "constant":
                    known.add(arg)
                    yield f"const vec {self.names[arg]} = {self._fetch(arg)};"
            if index in sweep.sums:
                yield f"s_{index}[r] += total({self.names[node.args[0]]}, k);"
                continue
            known.add(index)
            yield f"const vec {self.names[index]} = {self._spelled(node)};"
            yield from self._stores(index)

    def _spelled(self, node: Node) -> str:
        return SPELLING[node.op].format(*(self._operand(arg) for arg in node.args))

    def _operand(self, index: int) -> str:
        node = self.graph.nodes[index]
        return f"splat((real){node.value!r})" if node.op == "constant" else self.names[index]

    def _fetch(self, index: int) -> str:
        """Return how a value that this sweep did not compute is read."""
        node = self.graph.nodes[index]
        if node.op == "size":
            return f"splat((real)n_{node.name})"
        if node.args and not node.dims:
            return f"splat(s_{index}[r])"
        if node.args:
            return f"load(m_{index} + r * n_{self._size(index)} + u, k)"
        name = self._tensor(node.key)
        at = f"{name} + {self._step(node)} * {name}_t + b * {name}_b"
        read = f"load({at} + u, k)" if node.dims else f"splat(*({at}))"
        return f"on ? {read} : (vec){{0}}" if node.op == "cotangent" else read

    def _stores(self, index: int) -> Iterator[str]:
        if index in self.materialised:
            yield f"store(m_{index} + r * n_{self._size(index)} + u, {self.names[index]}, k);"
        for key, result in self.graph.results.items():
            if result == index:
                yield from self._store_result(key, self.names[index])

    def _store_result(self, key: str, value: str) -> Iterator[str]:
        name = self._tensor(f"={key}")
        at = f"{name} + {self._written(key)} * {name}_t + b * {name}_b + u"
        if key in self.direction.added:
            yield f"store({at}, load({at}, k) + {value}, k);"
        elif key.startswith("state."):
            carried = self._tensor(self._carried(key)) if self._carried(key) in self.layout.tensors else name
            before = f"load({carried} + ({self.direction.read}) * {carried}_t + b * {carried}_b + u, k)"
            yield f"store({at}, on ? {value} : {before}, k);"
        elif key == "output":
            yield f"store({at}, on ? {value} : (vec){{0}}, k);"
        else:
            yield f"store({at}, {value}, k);"

    def _row_scalars(self, sweep: Sweep) -> Iterator[str]:
        yield "for (int64_t r = 0; r < rows; r++) {"
        yield "    const int64_t b = b0 + r, u = 0; const int k = 1, on = !length || t < length[b];"
        yield "    (void)u; (void)k; (void)on;"
        known: set[int] = set()
        for index in sweep.scalars:
            node = self.graph.nodes[index]
            for arg in node.args:
                if arg not in known and self.graph.nodes[arg].op != "constant":
                    known.add(arg)
                    yield f"    const vec {self.names[arg]} = {self._fetch(arg)};"
            known.add(index)
            yield f"    const vec {self.names[index]} = {self._spelled(node)};"
            yield f"    s_{index}[r] = {self.names[index]}[0];"
        yield "}"

    # -- results and operands that no sweep computes -----------------------------------------------------

    def _leaf_results(self) -> Iterator[str]:
        """Store results that are leaves, and scalar results, once the step is done."""
        keys = [
            key
            for key, index in self.graph.results.items()
            if not self.graph.nodes[index].args or index in self.scalars
        ]
        if not keys:
            return
        yield "for (int64_t r = 0; r < rows; r++) {"
        yield "    const int64_t b = b0 + r; const int on = !length || t < length[b];"
        yield "    (void)on;"
        for key in keys:
            index = self.graph.results[key]
            width = f"n_{self._size(index)}" if self.graph.nodes[index].dims else "1"
            yield f"    for (int64_t u = 0; u < {width}; u += LANES) {{"
            yield f"        const int k = least(LANES, {width} - u);"
            value = (
                f"splat((real){self.graph.nodes[index].value!r})"
                if self.graph.nodes[index].op == "constant"
                else self._fetch(index)
            )
            yield f"        const vec value = {value};"
            yield from _indented(self._store_result(key, "value"), 2)
            yield "    }"
        yield "}"

    def _copied_operands(self) -> Iterator[str]:
        """Copy cotangents that a product reads directly: past a row's end they count as 0."""
        for index in self.materialised:
            node = self.graph.nodes[index]
            if node.args:
                continue
            size = f"n_{self._size(index)}"
            yield "for (int64_t r = 0; r < rows; r++) {"
            yield "    const int64_t b = b0 + r; const int on = !length || t < length[b];"
            yield f"    for (int64_t u = 0; u < {size}; u += LANES) {{"
            yield f"        const int k = least(LANES, {size} - u);"
            yield f"        store(m_{index} + r * {size} + u, {self._fetch(index)}, k);"
            yield "    }"
            yield "}"

    def _materialised(self) -> list[int]:
        """Return the vectors that a later sweep or a product reads."""
        needed: dict[int, None] = {}
        for sweep in self.layout.sweeps:
            for part in sweep.contractions:
                for operand, _ in part.segments:
                    if self.graph.nodes[operand].args or self.graph.nodes[operand].op == "cotangent":
                        needed[operand] = None
        for index, node in enumerate(self.graph.nodes):
            for arg in node.args:
                crosses = arg in self.sweep_of and self.sweep_of.get(index) != self.sweep_of[arg]
                if self.graph.nodes[arg].dims and crosses and self.graph.nodes[arg].op != "parameter":
                    needed[arg] = None
        return sorted(needed)

    # -- names -----------------------------------------------------------------------------------------

    def _size(self, index: int) -> str:
        size = self.graph.nodes[index].dims[0]
        return self.same.get(size, size)

    def _key_size(self, key: str) -> str:
        plain = key.lstrip("=")
        if key.startswith("="):
            return self._size(self.graph.results[plain])
        return self._size(next(index for index, node in self.graph.leaves() if node.key == plain))

    def _tensor(self, key: str) -> str:
        prefix = "to_" if key.startswith("=") else "of_"
        return prefix + ascii_name(key.lstrip("=").replace(".", "_"))

    def _carried(self, key: str) -> str:
        return key if self.direction.carried == "state." else f"cotangent.{key}"

    def _carried_leaves(self) -> list[str]:
        return [key for key in self.layout.tensors if key.startswith(self.direction.carried)]

    def _step(self, node: Node) -> str:
        return f"({self.direction.read})" if node.key.startswith(self.direction.carried) else "t"

    def _written(self, key: str) -> str:
        if key in self.direction.added:
            return "0"
        return f"({self.direction.write})" if key.startswith("state.") else "t"


def _names(graph: Graph) -> list[str]:
    """Name every value in C: by its author's word, with a letter before it so that C keeps its own words."""
    names: list[str] = []
    for index, node in enumerate(graph.nodes):
        word = node.key.replace(".", "_") if not node.args else graph.name_of(index)
        name = f"x_{ascii_name(word)}"
        names.append(name if name not in names else f"{name}_{index}")
    return names


def _indented(lines: Iterator[str], levels: int = 1) -> Iterator[str]:
    return (f"{'    ' * levels}{line}" for line in lines)
