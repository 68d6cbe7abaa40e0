"""One region of a kernel in C: a graph's sweeps over a list of rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from loopcell.backends.c.codegen.layout import Pack, Region, RegisterTile, part_name
from loopcell.backends.c.codegen.region_products import ProductWriter, indented
from loopcell.backends.c.codegen.spelling import SPELLING
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key
from loopcell.passes.sweeps import Sweep

RowLoop: TypeAlias = Callable[[str, str], Iterator[str]]
"""Yields the lines of a loop over rows, from a first one up to a last one."""


class RegionWriter(ProductWriter):
    """Writes the loops of a region; subclasses say where its leaves, results and spilled values lie.

    The text stands where `list` and `count` name the rows and how many there are. Inside a row the names are t, b, p
    (step, row of the batch, row of the saved tensors), r (position in the list), u (unit) and k (how many units there
    are from u on, at most a vector's).
    """

    def __init__(self, region: Region, first_pack: int) -> None:
        super().__init__(region, first_pack)
        self.scalars = [i for i, node in enumerate(self.graph.nodes) if node.args and not node.dims]

    # -- what subclasses say ---------------------------------------------------------------------------

    @abstractmethod
    def scalar(self, index: int) -> str:
        """Return the place of a row's scalar."""

    @abstractmethod
    def store(self, key: Key, value: str) -> Iterator[str]:
        """Yield the lines that store a result's vector."""

    # -- the sweeps ------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """Yield the loops in order; a team meets where one member may read what another has written."""
        row_loops: list[RowLoop] = []
        for sweep in self.region.sweeps:
            meets = self.region.stores(sweep) and sweep is not self.region.sweeps[-1]
            if not sweep.contractions:
                row_loops += self._row_loops(sweep, meets=meets)
                continue
            yield from self._banded(row_loops)
            yield from self._with_products(sweep, [self.pack_of(part) for part in sweep.contractions])
            if meets or sweep.sums:
                yield "meet(me);"
            # Products take units block by block, for all rows; a sum is taken row by row, when all blocks are there.
            row_loops = [partial(self._sums, sweep)] if sweep.sums else []
        row_loops += [partial(self._leaf_result, key) for key in self.leaf_results()]
        yield from self._banded(row_loops)
        # Nobody writes the next step's values while another member still reads this one's.
        yield "meet(me);"

    def _row_loops(self, sweep: Sweep, *, meets: bool) -> Iterator[RowLoop]:
        """Yield the loops of a sweep without products."""
        if sweep.scalars:
            yield partial(self._row_scalars, sweep)
        if sweep.size:
            yield partial(self._row_by_row, sweep)
        if meets:
            yield lambda first, last: iter(["meet(me);"])

    def _banded(self, row_loops: Sequence[RowLoop]) -> Iterator[str]:
        """Yield loops over rows that follow each other; of several all are done for a row before the next one.

        So what one of them writes is still in the first-level cache when another reads it.
        """
        if len(row_loops) < 2:
            for loop in row_loops:
                yield from loop("0", "count")
            return
        yield "for (int64_t from = 0, until; from < count; from = until) {"
        yield "    until = band(me, from, count);"
        for loop in row_loops:
            yield from indented(loop("from", "until"))
        yield "}"

    def _row_by_row(self, sweep: Sweep, first: str, last: str) -> Iterator[str]:
        """Yield the loop nest of a sweep without products: rows outside, units inside, as they lie in memory."""
        part = part_name(sweep.size, 1)
        # Every member takes a sum over all units, so that it comes out as with one thread; each stores its own part.
        whole, stores = bool(sweep.sums), self.region.stores(sweep)
        bounds = ("0", f"n_{sweep.size}") if whole else (f"{part}.start", f"{part}.stop")
        yield f"for (int64_t r0 = {first}; r0 < {last}; r0++) {{"
        yield "    AT(r0);"
        for index in sweep.sums:
            yield f"    vec total_{index} = splat(0);"
        yield f"    for (int64_t u = {bounds[0]}; u < {bounds[1]}; u += LANES) {{"
        yield f"        const int k = least(LANES, n_{sweep.size} - u);"
        if whole and stores:
            yield f"        const int mine = u >= {part}.start && u < {part}.stop;"
        yield from indented(self._pointwise(sweep, [], "if (mine) " if whole else ""), 2)
        yield "    }"
        for index in sweep.sums:
            yield f"    {self.scalar(index)} = sum_of(total_{index});"
        yield "}"

    def _with_products(self, sweep: Sweep, packs: list[tuple[int, Pack]]) -> Iterator[str]:
        """Yield the loop nest of a sweep with products: units outside, rows inside, while a block's weights are hot."""
        if self.region.factors.rounds_operands:
            for number, pack in packs:
                yield from self.rounding(number, pack)
        tile = packs[0][1].tile  # N and M are the same for all products of a sweep; see `Region._packs`
        unroll = tile.unroll
        block = "LANES" if unroll == 1 else f"{unroll} * LANES"
        part = part_name(sweep.size, unroll)
        # Units outside, rows inside: a block of weights stays in the cache while all rows pass by.
        yield f"for (int64_t u0 = {part}.start; u0 < {part}.stop; u0 += {block})"
        yield "for (int64_t r0 = 0, m; r0 < count; r0 += m) {"
        if self.region.factors.on_tiles:
            yield f"    m = least({tile.rows}, count - r0);"
        else:
            # A small last tile costs nearly as much as a full one, so `evenly` makes tiles of about one size.
            yield f"    m = evenly(count, count - r0, {tile.rows}, {tile.group});"
        for number, pack in packs:
            yield from indented(self.contraction(number, pack, sweep.size))
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

    def _sums(self, sweep: Sweep, first: str, last: str) -> Iterator[str]:
        """Yield the sums over units of a sweep with products."""
        yield f"for (int64_t r0 = {first}; r0 < {last}; r0++) {{"
        yield "    AT(r0);"
        for index in sweep.sums:
            yield f"    vec total_{index} = splat(0);"
        yield f"    for (int64_t u = 0; u < n_{sweep.size}; u += LANES) {{"
        yield f"        const int k = least(LANES, n_{sweep.size} - u);"
        for index in sweep.sums:
            yield f"        total_{index} += first({self._load(self.graph.nodes[index].args[0])}, k);"
        yield "    }"
        for index in sweep.sums:
            yield f"    {self.scalar(index)} = sum_of(total_{index});"
        yield "}"

    def _pointwise(self, sweep: Sweep, packs: list[tuple[int, Pack]], guard: str = "") -> Iterator[str]:
        in_registers: set[int] = set()
        for number, pack in packs:
            tile: RegisterTile = pack.tile
            for gate, index in enumerate(pack.contraction.results):
                # acc is [M, G, N]: the row of the group, the gate, and the neighbour that the loop over q is at.
                lane = f"{gate * tile.unroll}" + (" + q" if tile.unroll > 1 else "")
                yield f"const vec {self.names[index]} = acc_{number}[row_ * {tile.vectors} + {lane}];"
                in_registers.add(index)
                yield from self._stores(index)
        for index in [*sweep.pointwise, *(() if packs else sweep.sums)]:
            node = self.graph.nodes[index]
            yield from self._loads(node, in_registers)
            if index in sweep.sums:
                yield f"total_{index} += first({self._operand(node.args[0])}, k);"
                continue
            in_registers.add(index)
            yield f"const vec {self.names[index]} = {self._spelled(node)};"
            yield from (guard + line for line in self._stores(index))

    def _row_scalars(self, sweep: Sweep, first: str, last: str) -> Iterator[str]:
        yield f"for (int64_t r0 = {first}; r0 < {last}; r0++) {{"
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

    def _leaf_result(self, key: Key, first: str, last: str) -> Iterator[str]:
        """Yield the loop that stores a result that no sweep over units computes: a leaf, or a scalar."""
        index = self.graph.results[key]
        node = self.graph.nodes[index]
        width = f"n_{self.region.size(index)}" if node.dims else "1"
        yield f"for (int64_t r0 = {first}, stop = part_of(me, {width}, LANES).stop; r0 < {last}; r0++) {{"
        yield "    AT(r0);"
        yield f"    for (int64_t u = part_of(me, {width}, LANES).start; u < stop; u += LANES) {{"
        yield f"        const int k = least(LANES, {width} - u);"
        value = f"splat((real){node.value!r})" if node.op == "constant" else self._load(index)
        yield f"        const vec value = {value};"
        yield from indented(self.store(key, "value"), 2)
        yield "    }"
        yield "}"

    def leaf_results(self) -> list[Key]:
        """Return the keys of the results that are leaves or scalars and have to be stored."""
        return [key for key, i in self.graph.results.items() if not self.graph.nodes[i].args or i in self.scalars]
