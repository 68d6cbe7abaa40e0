"""Kernel: what the C functions of every loop share: their arguments, their frame, and how weights are packed.

Of one loop the C has: NAME_share, the work of one thread, alone or as a
member of a team; NAME_bytes, the scratch memory of a share; NAME_pack and its
two helpers, which bring weights into the order of `Pack`; and, from the macro SHARED in headers/rows.h, NAME itself,
which packs and shares out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loopcell.backends.c.codegen.addressing import slot_name
from loopcell.backends.c.codegen.layout import Access, Pack, Region, Role, Slot, SlotKey
from loopcell.backends.c.codegen.region_products import Buffer, indented


class LoopKernel:
    """One loop over a sequence as a C function.

    Attributes:
        name: of the C function.
        regions: its graphs.
        factors: what products multiply.
        slots: the tensors in its arguments, in order.
        packs: the packed weights, in order.
        sizes: names of the sizes, in order.
        matrices: names of the parameters that products read, in the order in which they follow the slots.
        result_sizes: names of the sizes of the results, by key; "" of a scalar.
        prologue_sizes: the sizes, by their positions, of what is computed before the loop; -1 for a scalar.
        aliased: slots that a call may give one memory, since the same numbers are written to them.
    """

    aliased: frozenset[SlotKey] = frozenset()

    def __init__(self, name: str, regions: tuple[Region, ...], slots: Iterable[Slot]) -> None:
        self.name = name
        self.regions = regions
        self.factors = regions[0].factors
        self.slots = tuple(slots)
        self.packs: tuple[Pack, ...] = tuple(pack for region in regions for pack in region.packs)
        self.sizes = tuple(dict.fromkeys(size for region in regions for size in region.sizes()))
        self.matrices = tuple(name for pack in self.packs for name in pack.matrices)
        self.prologue_sizes: tuple[int, ...] = ()
        # Where two regions have results of one key, the last one counts, which is the loop.
        self.result_sizes = {
            key: region.size(index) if region.graph.nodes[index].dims else ""
            for region in regions
            for key, index in region.graph.results.items()
        }

    def products(self) -> Iterator[tuple[int, int]]:
        """Yield (vectors, most rows) of every product function that is called."""
        return ((pack.tile.vectors, pack.tile.rows) for pack in self.packs)

    def text(self) -> str:
        """Return the C text."""
        parts = [self._share_functions(), self._pack_size_functions(), self._pack_function(), [self._shared()]]
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _shared(self) -> str:
        return f"SHARED({self.name}, {len(self.sizes)}, {len(self.slots) + len(self.matrices)})"

    # -- the frame -------------------------------------------------------------------------------------

    def _share_functions(self) -> Iterator[str]:
        yield f"static int64_t {self.name}_bytes(const arguments *a, int64_t rows, int64_t members) {{"
        yield from indented(self._sizes())
        yield f"    const int64_t listed = room_for({self.row_list_length()} + 1, sizeof(row));"
        yield f"    const int64_t common = {_room(self.scratch_buffers())}, own = {_room(self.own_buffers())};"
        yield "    return common + members * (listed + own) + 64;"
        yield "}"
        yield ""
        given = "arguments *restrict a, share s, int64_t piece, member *me, char *memory"
        yield f"static void {self.name}_share({given}) {{"
        yield "    const int64_t rows = s.count;"
        yield from indented(self._sizes())
        yield from indented(self._tensors())
        yield from indented(_pieces(self.scratch_buffers()))
        yield f"    const int64_t listed = room_for({self.row_list_length()} + 1, sizeof(row));"
        yield f"    memory += me->number * (listed + {_room(self.own_buffers())});"
        yield "    row *all = (row *)memory;"
        yield "    memory += listed;"
        yield from indented(_pieces(self.own_buffers()))
        yield from indented(self._parts())
        yield "    (void)memory, (void)piece, (void)rows;"
        if self.factors.on_tiles:
            yield "    if (!a->direct) tiles_begin();"
        yield from indented(self.body())
        if self.factors.on_tiles:
            yield "    if (!a->direct) tiles_end();"
        yield "}"

    def body(self) -> Iterator[str]:
        """Yield the lines of what a thread does with its share of the rows."""
        raise NotImplementedError

    def scratch_buffers(self) -> Iterator[Buffer]:
        """Yield the scratch memory of a share: (C type, name, how many)."""
        raise NotImplementedError

    def own_buffers(self) -> Iterator[Buffer]:
        """Yield the scratch memory that each member of a team has for itself, since it computes all that goes there."""
        raise NotImplementedError

    def row_list_length(self) -> str:
        """Return how many rows are listed at a time."""
        return "rows"

    def _parts(self) -> Iterator[str]:
        """Yield the units of every sweep that are this member's."""
        parts = sorted({part for region in self.regions for part in region.parts()})
        for name, size, unroll in parts:
            yield f"const span {name} = part_of(me, n_{size}, {unroll} * LANES);"
        # A sweep for a sum goes over all units, whichever are this member's.
        yield "".join(f"(void){name}; " for name, _, _ in parts).rstrip() or "(void)me;"

    def _sizes(self) -> Iterator[str]:
        for place, size in enumerate(self.sizes):
            yield f"const int64_t n_{size} = a->size[{place}];"
        yield "".join(f"(void)n_{size}; " for size in self.sizes).rstrip() or "(void)a;"

    def _tensors(self) -> Iterator[str]:
        for place, slot in enumerate(self.slots):
            name = slot_name(slot.role, slot.key)
            const = "const " if slot.role is Role.READ else ""
            restrict = "" if (slot.role, slot.key) in self.aliased else "restrict "
            yield f"{const}real *{restrict}{name} = a->at[{place}];"
            if slot.access is Access.SEQUENCE:
                yield f"const int64_t {name}_t = a->stride[{2 * place}], {name}_b = a->stride[{2 * place + 1}];"
            elif slot.access is not Access.WHOLE:
                yield f"const int64_t {name}_b = a->stride[{2 * place + 1}];"
        for number, pack in enumerate(self.packs):
            yield f"const {self.factors.weight} *pack_{number} = a->pack[{number}];"
            yield from self._matrices_of(number, pack)

    def _matrices_of(self, number: int, pack: Pack) -> Iterator[str]:
        """Yield where the matrices of a pack lie in the network's own tensors."""
        for place, _ in enumerate(pack.matrices):
            yield self._matrix(number, place)
            yield self._leading(number, place)

    def _matrix_place(self, number: int, place: int) -> int:
        """Return where a matrix stands among the addresses: behind all slots, in the order of the packs."""
        before = sum(len(pack.matrices) for pack in self.packs[:number])
        return len(self.slots) + before + place

    def _matrix(self, number: int, place: int) -> str:
        return f"const real *matrix_{number}_{place} = a->at[{self._matrix_place(number, place)}];"

    def _leading(self, number: int, place: int) -> str:
        return f"const int64_t ld_{number}_{place} = a->stride[{2 * self._matrix_place(number, place)}];"

    # -- packing ---------------------------------------------------------------------------------------

    def _pack_size_functions(self) -> Iterator[str]:
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
        """Return how many numbers a pack has: whole blocks of units, the last one filled up with zeros."""
        block = f"({pack.tile.unroll} * LANES)"
        blocks = f"((n_{pack.units} + {block} - 1) / {block} * {block})"
        return f"{blocks} * {pack.tile.gates} * ({' + '.join(f'DEPTH(n_{size})' for size in pack.depth)})"

    def _pack_function(self) -> Iterator[str]:
        yield f"static int {self.name}_pack(arguments *a, int64_t piece) {{"
        yield from indented(self._sizes())
        for number, pack in enumerate(self.packs):
            yield from indented(self._pack_block(number, pack))
        yield "    (void)piece;"
        yield "    return 0;"
        yield "}"

    def _pack_block(self, number: int, pack: Pack) -> Iterator[str]:
        """Yield the packing of one block of units, a piece of work that any thread may take.

        Pieces are numbered through all packs: one that is not of this pack loses this pack's count and goes on to the
        next one, and what no pack has taken ends the work (`return 0`).
        """
        tile = pack.tile
        depth = " + ".join(f"DEPTH(n_{size})" for size in pack.depth)
        yield f"if (piece * {tile.unroll} * LANES < n_{pack.units}) {{"
        yield from indented(self._matrices_of(number, pack))
        yield f"    const int64_t u0 = piece * {tile.unroll} * LANES;"
        yield f"    factor *to = (factor *)a->pack[{number}] + u0 * {tile.gates} * ({depth});"
        yield f"    for (int q = 0; q < {tile.unroll}; q++) {{"
        # Gates lie side by side within each number of the depth, segments one after the other along the depth.
        done = ""
        for place, _ in enumerate(pack.matrices):
            deep = f"n_{pack.depth[place if pack.contraction.transposed else 0]}"
            gate = 0 if pack.contraction.transposed else place
            function = "pack_columns" if pack.contraction.transposed else "pack_rows"
            at = f"to + ({gate * tile.unroll} + q) * LANES{done}"
            yield (
                f"        {function}({at}, matrix_{number}_{place}, ld_{number}_{place}, n_{pack.units}, {deep}, "
                f"{tile.vectors}, u0 + q * LANES);"
            )
            if pack.contraction.transposed:
                done += f" + DEPTH({deep}) * {tile.vectors} * LANES"
        yield "    }"
        yield "    return 1;"
        yield "}"
        yield f"piece -= (n_{pack.units} + {tile.unroll} * LANES - 1) / ({tile.unroll} * LANES);"


def _room(buffers: Iterable[Buffer]) -> str:
    """Return as C how many bytes some buffers take."""
    return " + ".join(f"room({count})" for count in map(_count, buffers)) or "0"


def _pieces(buffers: Iterable[Buffer]) -> Iterator[str]:
    """Yield the lines that cut buffers off the memory."""
    for kind, name, count in buffers:
        cast = "" if kind == "real" else f"({kind} *)"
        yield f"{kind} *{name} = {cast}cut(&memory, {_count((kind, name, count))});"


def _count(buffer: Buffer) -> str:
    # Room is counted in `real`, and a double takes two of them where real is float.
    kind, _, count = buffer
    return f"2 * {count}" if kind == "double" else count
