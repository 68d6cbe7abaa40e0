"""One sweep of a blocked kernel: a loop over the blocks of a size, with what it reads, computes and stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loopcell.backends.triton.codegen.blocks import indented, load, operand, spelled, store, units, width
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import ONE, KernelSlot, SlotTable, Use
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.equations.names import ascii_name
from loopcell.passes.sweeps import Contraction, Sweep


def held(part: Contraction, place: int, name: str) -> str:
    """Return the name of a matrix that a program holds for the whole loop."""
    return f"held_{part.results[0]}_{place}_{ascii_name(name.replace('.', '_'))}"


def value_key(index: int) -> Key:
    """Return the key under which a value within a step has a slot."""
    return Key("operand", f"v{index}")


@dataclass(frozen=True, eq=False)
class SweptLoop:
    """The common parts of the sweeps of a loop.

    Attributes:
        loop: what is written.
        slots: its tensors.
        contractions: its products, in order.
    """

    loop: Loop
    slots: SlotTable
    contractions: tuple[Contraction, ...]

    def weights(self, part: Contraction, name: str, depth: str, k: str, u: str) -> str:
        """Return the load of a block of a matrix, [depth, units].

        Args:
            part: the product.
            name: of the parameter.
            depth: the name of the operand's size.
            k: positions along the depth, [depth, 1].
            u: positions of units, [1, units].
        """
        slot = self.slots[Use.READ, Key("parameter", name)]
        size = self.loop.sizes.of(part.results[0])
        row, column = (k, u) if part.transposed else (u, k)
        mask = f"({k} < {width(depth)}) & ({u} < {width(size)})"
        address = f"{slot.name} + ({row}).to(tl.int64) * {slot.name}_s + {column}"
        return f"tl.load({address}, mask={mask}, other=0.0).to(FACTOR)"


class SweepWriter:
    """Writes one sweep: a loop over the blocks of a size."""

    def __init__(self, swept: SweptLoop, sweep: Sweep) -> None:
        self.swept, self.sweep = swept, sweep
        self.loop, self.graph, self.sizes, self.slots = swept.loop, swept.loop.graph, swept.loop.sizes, swept.slots
        self.size = self.sizes.name(sweep.size) if sweep.size != ONE else ONE
        self.there: set[int] = set()

    def lines(self) -> Iterator[str]:
        """Yield the sweep."""
        yield from self._over_blocks(self._block())

    def alone(self, key: Key, index: int) -> Iterator[str]:
        """Yield the store of one result."""
        yield from self._over_blocks(iter([*self._value(index), *self._store(key, index)]))

    def _over_blocks(self, lines: Iterator[str]) -> Iterator[str]:
        if self.size == ONE:
            yield "if tl.program_id(1) == 0:"
        else:
            count = f"({width(self.size)} + UNITS - 1) // UNITS"
            yield f"for block in range(tl.program_id(1), {count}, tl.num_programs(1)):"
            yield f"    {units(self.size)} = block * UNITS + tl.arange(0, UNITS)[None, :]"
        yield from indented(lines)

    def _block(self) -> Iterator[str]:
        for part in self.sweep.contractions:
            yield from self._contraction(part)
        for part in self.sweep.contractions:
            for index in part.results:
                self.there.add(index)
                yield from self._keep(index)
        for index in self.sweep.pointwise:
            node = self.graph.nodes[index]
            for arg in node.args:
                yield from self._value(arg)
            self.there.add(index)
            yield f"v{index} = {spelled(self.graph, self.sizes, node, 'UNITS')}"
            yield from self._keep(index)
        for index in self.sweep.sums:
            yield from self._partial_sum(index)

    # -- products and sums -----------------------------------------------------------------------------

    def _contraction(self, part: Contraction) -> Iterator[str]:
        given = self.slots[Use.GIVEN, Key("product", f"of{self.swept.contractions.index(part)}")]
        yield "if GIVEN:"
        for gate, index in enumerate(part.results):
            offset = f"b * {given.name}_s + {gate} * {width(given.size)}"
            yield f"    v{index} = {load(given, offset, units(self.size))}"
        yield "elif HOLD:"
        for index in part.results:
            yield f"    v{index} = tl.zeros([ROWS, UNITS], REAL)"
        for place, (vector, names) in enumerate(part.segments):
            block = f"P_{ascii_name(self.sizes.of(vector))}"
            yield from indented(self._operand(vector, f"tl.arange(0, {block})[None, :]", block))
            for index, name in zip(part.results, names, strict=True):
                yield f"    v{index} = {_dot('a', held(part, place, name), index)}"
        yield "else:"
        for index in part.results:
            yield f"    v{index} = tl.zeros([ROWS, UNITS], REAL)"
        for vector, names in part.segments:
            depth = self.sizes.of(vector)
            # B is at least 1, which no compiler knows: with a number for an end the loop is unrolled, and what all its
            # turns load at once takes more registers than there are.
            yield f"    for start in tl.range(0, tl.minimum(B, 1) * {width(depth)}, DEPTH, disable_licm=True):"
            yield "        k = start + tl.arange(0, DEPTH)[None, :]"
            yield "        rows = start + tl.arange(0, DEPTH)[:, None]"
            yield from indented(self._operand(vector, "k", "DEPTH"), 2)
            for index, name in zip(part.results, names, strict=True):
                weights = self.swept.weights(part, name, depth, "rows", units(self.size))
                yield f"        v{index} = {_dot('a', weights, index)}"

    def _operand(self, index: int, k: str, depth: str) -> Iterator[str]:
        """Yield the load of a block of a product's operand, [rows, depth], as `a`."""
        yield from self._loaded("a", index, k)
        yield f"a = tl.broadcast_to(a, (ROWS, {depth})).to(FACTOR)"

    def _partial_sum(self, index: int) -> Iterator[str]:
        arg = self.graph.nodes[index].args[0]
        yield from self._value(arg)
        inside = f"tl.where({units(self.size)} < {width(self.size)}, {operand(self.graph, arg)}, 0.0)"
        total = f"tl.sum({inside}, axis=1, keep_dims=True)"
        slot = self.slots[Use.PARTIAL, value_key(index)]
        yield f"tl.store({slot.name} + b * BLOCKS + block, {total}, mask=in_b)"

    # -- values ----------------------------------------------------------------------------------------

    def _value(self, index: int) -> Iterator[str]:
        """Yield what brings a value into this sweep, unless it is there: a load, or the computation of a scalar."""
        node = self.graph.nodes[index]
        if index in self.there or node.op in ("constant", "size"):
            return
        self.there.add(index)
        if node.op == "sum":
            slot = self.slots[Use.PARTIAL, value_key(index)]
            size = width(self.sizes.of(node.args[0]))
            yield "blocks = tl.arange(0, BLOCKS)[None, :]"
            inside = f"in_b & (blocks < ({size} + UNITS - 1) // UNITS)"
            parts = f"tl.load({slot.name} + b * BLOCKS + blocks, mask={inside}, other=0.0, cache_modifier=CACHE)"
            yield f"v{index} = tl.sum({parts}.to(REAL), axis=1, keep_dims=True)"
        elif node.args and not node.dims:
            for arg in node.args:
                yield from self._value(arg)
            yield f"v{index} = {spelled(self.graph, self.sizes, node, '1')}"
        else:
            yield from self._loaded(f"v{index}", index, units(self.sizes.of(index)))

    def _loaded(self, name: str, index: int, u: str) -> Iterator[str]:
        """Yield the load of a block of a value that lies in memory."""
        node = self.graph.nodes[index]
        if node.args:
            yield f"{name} = {self._load(self.slots[Use.SCRATCH, value_key(index)], '', u)}"
        elif node.op == "state":
            yield f"{name} = {self._state_before(node.key, u)}"
            yield "if resets is not None:"
            yield f"    {name} = tl.where(fresh, 0.0, {name})"
        elif node.op == "cotangent":
            arriving = node.key == cotangent_of(OUTPUT)
            slot = self.slots[Use.READ, node.key] if arriving else None
            yield f"{name} = {self._load(slot, '', u) if slot else self._carried(Key.parse(node.name), u)}"
            yield "if lengths is not None:"  # past a row's end nothing arrives
            yield f"    {name} = tl.where(valid, {name}, 0.0)"
        else:
            yield f"{name} = {self._load(self.slots[Use.READ, node.key], '', u)}"

    def _load(self, slot: KernelSlot, offset: str, u: str) -> str:
        text = load(slot, offset, u)
        # What other programs have written since is not read from a cache that knows nothing of them.
        exchanged = slot.use in (Use.CARRIED, Use.SCRATCH)
        return text.replace("other=0.0)", "other=0.0, cache_modifier=CACHE)") if exchanged else text

    def _state_before(self, state: Key, u: str) -> str:
        if self.loop.reverse:
            slot = self.slots[Use.HISTORY, state]
            return self._load(slot, f"at * {width(slot.size)}", u)
        return self._carried(state, u)

    def _carried(self, state: Key, u: str) -> str:
        slot = self.slots[Use.CARRIED, state]
        return self._load(slot, f"((step % 2) * batch + b) * {width(slot.size)}", u)

    # -- stores ----------------------------------------------------------------------------------------

    def _keep(self, index: int) -> Iterator[str]:
        """Yield the stores of a value that this sweep has computed."""
        scratch = self.slots.get(Use.SCRATCH, value_key(index))
        if scratch is not None:
            yield store(scratch, f"v{index}")
        for key, result in self.graph.results.items():
            if result == index and key not in self.loop.same:
                yield from self._store(key, index)

    def _store(self, key: Key, index: int) -> Iterator[str]:
        if key.kind == "state":
            yield from self._store_state(key, index)
            return
        slot = self.slots.get(Use.SUMMED, key) or self.slots[Use.WRITTEN, key]
        yield f"y = {operand(self.graph, index)}"
        yield "if lengths is not None:"
        yield "    y = tl.where(valid, y, 0.0)"
        yield store(slot, f"{load(slot)} + y" if slot.use is Use.SUMMED else "y")

    def _store_state(self, state: Key, index: int) -> Iterator[str]:
        slot = self.slots[Use.CARRIED, state]
        yield f"y = {operand(self.graph, index)}"
        yield "if lengths is not None:"
        yield f"    y = tl.where(valid, y, {self._carried(state, units(self.size))})"
        if self.loop.reverse:  # at a reset the state before the step was not read, whatever it was
            yield "if resets is not None:"
            yield "    y = tl.where(fresh, 0.0, y)"
        yield store(slot, "y", f"(((step + 1) % 2) * batch + b) * {width(slot.size)}")
        if not self.loop.reverse and state in self.loop.histories:
            history = self.slots[Use.HISTORY, state]
            yield store(history, "y", f"(at + batch) * {width(history.size)}")


def _dot(a: str, weights: str, index: int) -> str:
    return f"tl.dot({a}, {weights}, acc=v{index}, input_precision=PRECISION, out_dtype=REAL)"
