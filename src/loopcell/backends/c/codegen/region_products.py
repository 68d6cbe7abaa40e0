"""The products of a region in C: a tile of rows times a block of packed weights, and what they are taken of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from loopcell.backends.c.codegen.layout import TILE_ROWS, Pack, Region, RegisterTile
from loopcell.backends.c.codegen.names import value_names
from loopcell.equations.graph import Node
from loopcell.passes.sweeps import Contraction

Buffer: TypeAlias = tuple[str, str, str]
"""Scratch memory: C type, name, how many."""


class ProductWriter:
    """Writes the products of a region; subclasses say where its leaves and spilled values lie."""

    def __init__(self, region: Region, first_pack: int) -> None:
        self.region = region
        self.graph = region.graph
        self.first_pack = first_pack
        self.names = value_names(region.graph)

    @abstractmethod
    def leaf_row(self, node: Node) -> str:
        """Return the address of a leaf's row."""

    @abstractmethod
    def spill_row(self, index: int) -> str:
        """Return the address of a spilled value's row: one sweep computes it, another reads it."""

    def pack_of(self, part: Contraction) -> tuple[int, Pack]:
        """Return the number of a product's pack among those of the function, and the pack."""
        place = next(place for place, pack in enumerate(self.region.packs) if pack.contraction is part)
        return self.first_pack + place, self.region.packs[place]

    def contraction(self, number: int, pack: Pack, size: str) -> Iterator[str]:
        """Yield the product of a tile of rows with a block of units."""
        tile, part = pack.tile, pack.contraction
        factors = self.region.factors
        weight, operands = factors.weight, "rounded" if factors.rounds_operands else "rows"
        lengths = [f"n_{self.region.size(operand)}" for operand, _ in part.segments]
        depths = [f"DEPTH({length})" for length in lengths]
        results = ", ".join(self.names[index] for index in part.results)
        # One array [M, V] for all segments: P^T d + Q^T e is one sum that never leaves it. Tiles start at 0 anyway.
        kind, start = ("LINES vec", "") if factors.on_tiles else ("vec", " = {0}")
        yield f"{kind} acc_{number}[{tile.rows} * {tile.vectors}]{start}; /* {results} */"
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

    def rounding(self, number: int, pack: Pack) -> Iterator[str]:
        """Yield the rounding of what a product multiplies its weights with."""
        # Once for all rows, before the loop over units: that loop reads every operand again for each block.
        yield f"{'' if self.region.factors.narrow else 'if (!a->direct) '}for (int64_t i = 0; i < count; i++) {{"
        yield "    AT(i);"
        for place, (operand, _) in enumerate(pack.contraction.segments):
            length = f"n_{self.region.size(operand)}"
            to = f"{rounded_name(number, place)} + i * OPERAND({length})"
            yield f"    narrow({to}, {self._row_of(operand)}, {length});"
        yield "}"

    def rounding_buffers(self, rows: str) -> Iterator[Buffer]:
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


def rounded_name(number: int, place: int) -> str:
    """Return the C name of the rounded operands of a segment of a pack."""
    return f"narrow_{number}_{place}"


def indented(lines: Iterable[str], levels: int = 1) -> Iterator[str]:
    """Yield lines moved to the right."""
    return (f"{'    ' * levels}{line}" for line in lines)
