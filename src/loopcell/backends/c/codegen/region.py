"""One region of a kernel in C: a graph's sweeps over a list of rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from loopcell.backends.c.codegen.layout import TILE_ROWS, Pack, Region, RegisterTile
from loopcell.backends.c.codegen.names import value_names
from loopcell.backends.c.codegen.spelling import SPELLING
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key
from loopcell.passes.sweeps import Contraction, Sweep


class RegionWriter:
    """Writes the loops of a region; subclasses say where its leaves, results and spilled values lie.

    The text stands where `list` and `count` name the rows and how many there are. Inside a row the names are t, b, p
    (step, row of the batch, row of the saved tensors), r (position in the list), u (unit) and k (how many units there
    are from u on, at most a vector's).
    """

    def __init__(self, region: Region, first_pack: int) -> None:
        self.region = region
        self.graph = region.graph
        self.first_pack = first_pack
        self.names = value_names(region.graph)
        self.scalars = [i for i, node in enumerate(self.graph.nodes) if node.args and not node.dims]

    # -- what subclasses say ---------------------------------------------------------------------------

    @abstractmethod
    def leaf_row(self, node: Node) -> str:
        """Return the address of a leaf's row."""

    @abstractmethod
    def spill_row(self, index: int) -> str:
        """Return the address of a spilled value's row: one sweep computes it, another reads it."""

    @abstractmethod
    def scalar(self, index: int) -> str:
        """Return the place of a row's scalar."""

    @abstractmethod
    def store(self, key: Key, value: str) -> Iterator[str]:
        """Yield the lines that store a result's vector."""

    # -- the sweeps ------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """Yield the loops in order."""
        for sweep in self.region.sweeps:
            yield from self._sweep(sweep)
        yield from self._leaf_results()

    def _sweep(self, sweep: Sweep) -> Iterator[str]:
        if sweep.scalars:
            yield from self._row_scalars(sweep)
        if not sweep.size:
            return
        packs = [self._pack_of(part) for part in sweep.contractions]
        yield from self._with_products(sweep, packs) if packs else self._row_by_row(sweep)

    def _row_by_row(self, sweep: Sweep) -> Iterator[str]:
        """Yield the loop nest of a sweep without products: rows outside, units inside, as they lie in memory."""
        yield "for (int64_t r0 = 0; r0 < count; r0++) {"
        yield "    AT(r0);"
        for index in sweep.sums:
            yield f"    vec total_{index} = splat(0);"
        yield f"    for (int64_t u = 0; u < n_{sweep.size}; u += LANES) {{"
        yield f"        const int k = least(LANES, n_{sweep.size} - u);"
        yield from indented(self._pointwise(sweep, []), 2)
        yield "    }"
        for index in sweep.sums:
            yield f"    {self.scalar(index)} = sum_of(total_{index});"
        yield "}"

    def _with_products(self, sweep: Sweep, packs: list[tuple[int, Pack]]) -> Iterator[str]:
        """Yield the loop nest of a sweep with products: units outside, rows inside, while a block's weights are hot."""
        if self.region.factors.rounds_operands:
            for number, pack in packs:
                yield from self._rounding(number, pack)
        for index in sweep.sums:
            # A sum over units is complete after all blocks: it waits in memory, a number for each row.
            yield f"for (int64_t r = 0; r < count; r++) {self.scalar(index)} = 0;"
        tile = packs[0][1].tile  # N and M are the same for all products of a sweep; see `Region._packs`
        unroll = tile.unroll
        block = "LANES" if unroll == 1 else f"{unroll} * LANES"
        # Units outside, rows inside: a block of weights stays in the cache while all rows pass by.
        yield f"for (int64_t u0 = 0; u0 < n_{sweep.size}; u0 += {block})"
        yield "for (int64_t r0 = 0, m; r0 < count; r0 += m) {"
        if self.region.factors.on_tiles:
            yield f"    m = least({tile.rows}, count - r0);"
        else:
            # A small last tile costs nearly as much as a full one, so `evenly` makes tiles of about one size.
            yield f"    m = evenly(count, count - r0, {tile.rows}, {tile.group});"
        for number, pack in packs:
            yield from indented(self._contraction(number, pack, sweep.size))
        yield "    for (int row_ = 0; row_ < m; row_++) {"
        yield "        AT(r0 + row_);"
        inner = 2
        if unroll > 1:
            yield f"        for (int q = 0; q < {unroll} && u0 + q * LANES < n_{sweep.size}; q++) {{"
            inner = 3
        place = "u0 + q * LANES" if unroll > 1 else "u0"
        yield from indented([f"const int64_t u = {place}; const int k = least(LANES, n_{sweep.size} - u);"], inner)
        yield from indented(self._pointwise(sweep, packs), inner)
        if unroll > 1:
            yield "        }"
        yield "    }"
        yield "}"

    def _pack_of(self, part: Contraction) -> tuple[int, Pack]:
        place = next(place for place, pack in enumerate(self.region.packs) if pack.contraction is part)
        return self.first_pack + place, self.region.packs[place]

    def _contraction(self, number: int, pack: Pack, size: str) -> Iterator[str]:
        tile, part = pack.tile, pack.contraction
        factors = self.region.factors
        weight, operands = factors.weight, "rounded" if factors.rounds_operands else "rows"
        lengths = [f"n_{self.region.size(operand)}" for operand, _ in part.segments]
        depths = [f"DEPTH({length})" for length in lengths]
        results = ", ".join(self.names[index] for index in part.results)
        # One array [M, V] for all segments: P^T d + Q^T e is one sum that never leaves it. Tiles start at 0 anyway.
        start = "" if factors.on_tiles else " = {0}"
        yield f"vec acc_{number}[{tile.rows} * {tile.vectors}]{start}; /* {results} */"
        if factors.on_tiles:
            yield f"if (a->direct) memset(acc_{number}, 0, sizeof(acc_{number}));"
        yield "{"
        # A block of N vectors of units has G * K * (N * LANES) numbers in the pack; u0 is a multiple of N * LANES.
        if len(part.segments) > 1:
            yield f"    const {weight} *w = pack_{number} + u0 * {tile.gates} * ({' + '.join(depths)});"
        else:
            yield f"    const {weight} *w = pack_{number} + u0 * {tile.gates} * {depths[0]};"
        for place, ((operand, _), length) in enumerate(zip(part.segments, lengths, strict=True)):
            yield from indented(self._operand_rows(number, tile, place, operand, length))
            product = f"products_{tile.vectors}_{tile.rows}((int)m, w, {operands}, {length}, acc_{number});"
            if factors.on_tiles:
                add = int(place > 0)
                product = f"tile_products((int)m, {tile.vectors}, w, rounded, {length}, acc_{number}, {add});"
            if factors.narrow:
                yield f"    {product}"
            else:
                # Weights of a call of few rows are not packed: packing reads them all, and so does the product, once.
                yield f"    if (!a->direct) {product}"
                yield from indented(self._unpacked_product(number, pack, place, length, size))
            # The next segment's weights lie behind this one's: K rows of V vectors.
            if place + 1 < len(part.segments):
                yield f"    w += {depths[place]} * {tile.vectors} * LANES;"
        yield "}"

    def _operand_rows(self, number: int, tile: RegisterTile, place: int, operand: int, length: str) -> Iterator[str]:
        """Yield where a tile's rows of an operand lie: as they are, and rounded."""
        factors = self.region.factors
        # One array of pointers for all segments, filled anew for each.
        if not (factors.narrow and factors.rounds_operands):  # else nobody reads them as they are
            if not place:
                yield f"const real *rows[{tile.rows}];"
            yield f"for (int i = 0; i < m; i++) {{ AT(r0 + i); rows[i] = {self._row_of(operand)}; }}"
        if factors.on_tiles:  # whose rows lie at equal distances, one after the other
            row = f"{rounded_name(number, place)} + r0 * OPERAND({length})"
            yield f"{'' if place else 'const factor *'}rounded = {row};"
        elif factors.rounds_operands:
            if not place:
                yield f"const factor *rounded[{tile.rows}];"
            row = f"{rounded_name(number, place)} + (r0 + i) * OPERAND({length})"
            yield f"for (int i = 0; i < m; i++) rounded[i] = {row};"

    def _rounding(self, number: int, pack: Pack) -> Iterator[str]:
        """Yield the rounding of what a product multiplies its weights with."""
        # Once for all rows, before the loop over units: that loop reads every operand again for each block.
        yield f"{'' if self.region.factors.narrow else 'if (!a->direct) '}for (int64_t i = 0; i < count; i++) {{"
        yield "    AT(i);"
        for place, (operand, _) in enumerate(pack.contraction.segments):
            length = f"n_{self.region.size(operand)}"
            to = f"{rounded_name(number, place)} + i * OPERAND({length})"
            yield f"    narrow({to}, {self._row_of(operand)}, {length});"
        yield "}"

    def rounding_buffers(self, rows: str) -> Iterator[tuple[str, str, str]]:
        """Yield the scratch memory for rounded operands: (C type, name, how many)."""
        if self.region.factors.rounds_operands:
            if self.region.factors.on_tiles:  # the last tiles are read whole
                rows = f"({rows} + {TILE_ROWS - 1})"
            for number, pack in enumerate(self.region.packs, self.first_pack):
                for place, size in enumerate(pack.depth):
                    yield "factor", rounded_name(number, place), f"{rows} * OPERAND(n_{size})"

    def _unpacked_product(self, number: int, pack: Pack, place: int, length: str, size: str) -> Iterator[str]:
        """Yield the same product for a call of few rows: the weights are read in place, and not packed."""
        tile, part = pack.tile, pack.contraction
        units = f"least({tile.unroll} * LANES, n_{size} - u0)"
        yield "else for (int i = 0; i < m; i++) {"
        if part.transposed:
            # P^T d: the units are P's columns, so that neighbouring units are neighbours in memory, and each number of
            # d scales a row of P into the accumulators.
            matrix = f"matrix_{number}_{place}"
            yield (
                f"    columns({matrix} + u0, ld_{number}_{place}, {units}, rows[i], {length}, "
                f"acc_{number} + i * {tile.vectors});"
            )
        else:
            # P v: a unit is a row of P, and its sum a dot product along that row. The accumulators are addressed as
            # numbers, for dot products give one number each and not a vector.
            for gate in range(tile.gates):
                yield (
                    f"    dots(matrix_{number}_{gate} + u0 * ld_{number}_{gate}, ld_{number}_{gate}, {units}, rows[i], "
                    f"{length}, (real *)(acc_{number} + i * {tile.vectors} + {gate * tile.unroll}));"
                )
        yield "}"

    def _row_of(self, operand: int) -> str:
        node = self.graph.nodes[operand]
        return self.spill_row(operand) if node.args else self.leaf_row(node)

    def _pointwise(self, sweep: Sweep, packs: list[tuple[int, Pack]]) -> Iterator[str]:
        in_registers: set[int] = set()
        for number, pack in packs:
            tile: RegisterTile = pack.tile
            for gate, index in enumerate(pack.contraction.results):
                # acc is [M, G, N]: the row of the group, the gate, and the neighbour that the loop over q is at.
                lane = f"{gate * tile.unroll}" + (" + q" if tile.unroll > 1 else "")
                yield f"const vec {self.names[index]} = acc_{number}[row_ * {tile.vectors} + {lane}];"
                in_registers.add(index)
                yield from self._stores(index)
        for index in [*sweep.pointwise, *sweep.sums]:
            node = self.graph.nodes[index]
            yield from self._loads(node, in_registers)
            if index in sweep.sums:
                value = self._operand(node.args[0])
                # With products, units come block by block for all rows, so the sum waits in scratch between blocks.
                in_blocks = f"{self.scalar(index)} += total({value}, k);"
                yield in_blocks if packs else f"total_{index} += first({value}, k);"
                continue
            in_registers.add(index)
            yield f"const vec {self.names[index]} = {self._spelled(node)};"
            yield from self._stores(index)

    def _row_scalars(self, sweep: Sweep) -> Iterator[str]:
        yield "for (int64_t r0 = 0; r0 < count; r0++) {"
        yield "    AT(r0);"
        # A scalar is computed as a vector of which one lane counts: the same spelling serves both.
        yield "    const int64_t u = 0; const int k = 1;"
        yield "    (void)u, (void)k;"
        in_registers: set[int] = set()
        for index in sweep.scalars:
            node = self.graph.nodes[index]
            yield from indented(self._loads(node, in_registers))
            in_registers.add(index)
            yield f"    const vec {self.names[index]} = {self._spelled(node)};"
            yield f"    {self.scalar(index)} = {self.names[index]}[0];"
        yield "}"

    def _loads(self, node: Node, in_registers: set[int]) -> Iterator[str]:
        """Yield the loads of a node's operands that are not in registers yet."""
        for arg in node.args:
            if arg not in in_registers and self.graph.nodes[arg].op != "constant":
                in_registers.add(arg)
                yield f"const vec {self.names[arg]} = {self._load(arg)};"

    def _spelled(self, node: Node) -> str:
        return SPELLING[node.op].format(*(self._operand(arg) for arg in node.args))

    def _operand(self, index: int) -> str:
        node = self.graph.nodes[index]
        return f"splat((real){node.value!r})" if node.op == "constant" else self.names[index]

    def _load(self, index: int) -> str:
        """Return the load of a value that this sweep did not compute."""
        node = self.graph.nodes[index]
        if node.op == "size":
            return f"splat((real)n_{node.name})"
        if node.args and not node.dims:
            return f"splat({self.scalar(index)})"
        row = self.spill_row(index) if node.args else self.leaf_row(node)
        return f"load({row} + u, k)" if node.dims else f"splat(*({row}))"

    def _stores(self, index: int) -> Iterator[str]:
        keys = [key for key, result in self.graph.results.items() if result == index]
        if index in self.region.spilled and not self.spill_is_result(index):
            yield f"store({self.spill_row(index)} + u, {self.names[index]}, k);"
        for key in keys:
            yield from self.store(key, self.names[index])

    def spill_is_result(self, index: int) -> bool:
        """Say whether a spilled value lies in one of the results, so that storing it once is enough."""
        del index
        return False

    def _leaf_results(self) -> Iterator[str]:
        """Store results that no sweep over units computes: leaves, and scalars."""
        for key in self.leaf_results():
            index = self.graph.results[key]
            node = self.graph.nodes[index]
            width = f"n_{self.region.size(index)}" if node.dims else "1"
            yield "for (int64_t r0 = 0; r0 < count; r0++) {"
            yield "    AT(r0);"
            yield f"    for (int64_t u = 0; u < {width}; u += LANES) {{"
            yield f"        const int k = least(LANES, {width} - u);"
            value = f"splat((real){node.value!r})" if node.op == "constant" else self._load(index)
            yield f"        const vec value = {value};"
            yield from indented(self.store(key, "value"), 2)
            yield "    }"
            yield "}"

    def leaf_results(self) -> list[Key]:
        """Return the keys of the results that are leaves or scalars and have to be stored."""
        return [key for key, i in self.graph.results.items() if not self.graph.nodes[i].args or i in self.scalars]


def rounded_name(number: int, place: int) -> str:
    """Return the C name of the rounded operands of a segment of a pack."""
    return f"narrow_{number}_{place}"


def indented(lines: Iterable[str], levels: int = 1) -> Iterator[str]:
    """Yield lines moved to the right."""
    return (f"{'    ' * levels}{line}" for line in lines)
