"""The blocked kernel: a program has a few rows of the batch and works on a block of units at a time.

A step is a number of sweeps over the units (`passes.sweeps`). What one sweep computes and another reads goes through
memory, and a barrier stands between them. Compile-time arguments make three kinds of kernel of the one text:

| kind       | a program has                | barrier           | weights                   | launches           |
|------------|------------------------------|-------------------|---------------------------|--------------------|
| streamed   | all blocks of its rows       | within a program  | read at every step        | one                |
| persistent | one block of its rows        | across programs   | held for the whole loop   | one                |
| stepped    | one block of its rows        | the launch        | multiplied by the caller  | one a sweep a step |

With SWEEP >= 0 a launch does one sweep only, so that the interpreter, whose programs run one after the other, can run
the blocks of a persistent kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from loopcell.backends.triton.codegen.blocks import indented, load, operand, spelled, store, units, width
from loopcell.backends.triton.codegen.kernel import KernelText, kernel_text, rows_of_program, step_of_rows
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import ONE, Access, Slot, Slots, Use
from loopcell.equations.graph import Node
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.equations.names import ascii_name
from loopcell.passes.sweeps import Contraction, Sweep, sweeps

SCALARS = ("lengths", "resets", "counters", "B", "T", "first", "until")
CONSTANTS = ("ROWS", "UNITS", "DEPTH", "BLOCKS", "HOLD", "GIVEN", "SWEEP", "CACHE")


def blocked_kernel(loop: Loop) -> KernelText:
    """Write a loop as a blocked kernel."""
    return BlockedLoop(loop).kernel()


class BlockedLoop:
    """A loop as sweeps over blocks of units.

    Attributes:
        loop: what is written.
        sweeps: in order; the last has what is no sweep's: results that are leaves or scalars.
        slots: the tensors.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop, self.graph, self.sizes = loop, loop.graph, loop.sizes
        self.sweeps = [sweep for sweep in sweeps(self.graph) if sweep.size]
        self.sweep_of = {index: n for n, sweep in enumerate(self.sweeps) for index in _computed(sweep)}
        self.operands = {index for sweep in self.sweeps for part in sweep.contractions for index, _ in part.segments}
        self.rest = [key for key, index in self.graph.results.items() if self._is_rest(key, index)]
        self.contractions = [part for sweep in self.sweeps for part in sweep.contractions]
        self.slots = Slots()
        self._add_slots()

    @property
    def sections(self) -> int:
        """The number of parts of a step between which a barrier stands."""
        return len(self.sweeps) + bool(self.rest)

    def _is_rest(self, key: Key, index: int) -> bool:
        return key not in self.loop.same and (index not in self.sweep_of or not self.graph.nodes[index].dims)

    def kernel(self) -> KernelText:
        """Return the kernel."""
        return kernel_text(self.loop, self.slots, SCALARS, (*self.wide, *CONSTANTS), self._body())

    @property
    def wide(self) -> dict[str, str]:
        """The names of the compile-time arguments that say how wide a block is that holds an operand whole, by size."""
        depths = {self.sizes.of(operand): None for part in self.contractions for operand, _ in part.segments}
        return {f"P_{ascii_name(size)}": size for size in depths}

    # -- the tensors -----------------------------------------------------------------------------------

    def _add_slots(self) -> None:
        self.loop.add_leaves(self.slots)
        self.loop.add_results(self.slots)
        for state in self.loop.states:
            self.slots.add(Use.CARRIED, state, Access.STATES, self._state_size(state))
        for state in self.loop.histories:
            self.slots.add(Use.HISTORY, state, Access.STATES, self._state_size(state))
        for index in self._spilled():
            self.slots.add(Use.SCRATCH, value_key(index), Access.ROW, self.sizes.of(index))
        for sweep in self.sweeps:
            for index in sweep.sums:
                self.slots.add(Use.PARTIAL, value_key(index), Access.ROW, ONE)
        for number, part in enumerate(self.contractions):
            self.slots.add(Use.GIVEN, Key("product", f"of{number}"), Access.SEQUENCE, self.sizes.of(part.results[0]))

    def _spilled(self) -> list[int]:
        """Return the vectors that one sweep computes and another, or a product, reads."""
        found = {index for index in self.operands if index in self.sweep_of}
        for index, node in enumerate(self.graph.nodes):
            for arg in node.args:
                crosses = arg in self.sweep_of and self.sweep_of.get(index) != self.sweep_of[arg]
                if crosses and self.graph.nodes[arg].dims:
                    found.add(arg)
        return sorted(found)

    def _state_size(self, state: Key) -> str:
        return self.sizes.of(self.graph.results[state])

    # -- the loop --------------------------------------------------------------------------------------

    def _body(self) -> Iterator[str]:
        yield from rows_of_program()
        yield "if lengths is not None:"
        yield "    ends = tl.load(lengths + b, mask=in_b, other=0).to(tl.int32)"
        yield "if HOLD:"
        yield "    u_held = tl.program_id(1) * UNITS + tl.arange(0, UNITS)[None, :]"
        yield from indented(self._held())
        yield "arrived = 0"
        yield "for step in range(first, until):"
        yield f"    t = {'T - 1 - step' if self.loop.reverse else 'step'}"
        yield from indented(step_of_rows())
        for number, sweep in enumerate(self.sweeps):
            yield from indented(self._section(number, _SweepWriter(self, sweep).lines()))
        if self.rest:
            yield from indented(self._section(len(self.sweeps), self._rest()))

    def _held(self) -> Iterator[str]:
        for part in self.contractions:
            for place, (operand, names) in enumerate(part.segments):
                for name in names:
                    k = f"tl.arange(0, P_{ascii_name(self.sizes.of(operand))})[:, None]"
                    yield f"{held(part, place, name)} = {self.weights(part, name, operand, k, 'u_held')}"

    def weights(self, part: Contraction, name: str, operand: int, k: str, u: str) -> str:
        """Return the load of a block of a matrix, [depth, units]."""
        slot = self.slots[Use.READ, Key("parameter", name)]
        size = self.sizes.of(part.results[0])
        row, column = (k, u) if part.transposed else (u, k)
        mask = f"({k} < {width(self.sizes.of(operand))}) & ({u} < {width(size)})"
        return f"tl.load({slot.name} + ({row}).to(tl.int64) * {slot.name}_s + {column}, mask={mask}, other=0.0).to(FACTOR)"

    def _section(self, number: int, lines: Iterator[str]) -> Iterator[str]:
        yield f"if SWEEP < 0 or SWEEP == {number}:"
        yield from indented(lines)
        yield "    if counters is not None:"
        yield "        arrived += tl.num_programs(1)"
        yield "        wait_for_all(counters + tl.program_id(0), arrived)"
        yield "    else:"
        yield "        tl.debug_barrier()"

    def _rest(self) -> Iterator[str]:
        """Yield the stores of results that are leaves or scalars."""
        for key in self.rest:
            index = self.graph.results[key]
            yield from _SweepWriter(self, Sweep(self.sizes.of(index), (), (), (), ())).alone(key, index)


class _SweepWriter:
    """Writes one sweep: a loop over the blocks of a size."""

    def __init__(self, blocked: BlockedLoop, sweep: Sweep) -> None:
        self.blocked, self.sweep = blocked, sweep
        self.loop, self.graph, self.sizes, self.slots = blocked.loop, blocked.graph, blocked.sizes, blocked.slots
        self.size = blocked.sizes.name(sweep.size) if sweep.size != ONE else ONE
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
        given = self.slots[Use.GIVEN, Key("product", f"of{self.blocked.contractions.index(part)}")]
        yield "if GIVEN:"
        for gate, index in enumerate(part.results):
            offset = f"b * {given.name}_s + {gate} * {width(given.size)}"
            yield f"    v{index} = {load(given, offset, units(self.size))}"
        yield "elif HOLD:"
        for index in part.results:
            yield f"    v{index} = tl.zeros([ROWS, UNITS], REAL)"
        for place, (operand, names) in enumerate(part.segments):
            k = f"tl.arange(0, P_{ascii_name(self.sizes.of(operand))})[None, :]"
            yield from indented(self._operand(operand, k, f"P_{ascii_name(self.sizes.of(operand))}"))
            for index, name in zip(part.results, names, strict=True):
                yield f"    v{index} = {_dot('a', held(part, place, name), index)}"
        yield "else:"
        for index in part.results:
            yield f"    v{index} = tl.zeros([ROWS, UNITS], REAL)"
        for operand, names in part.segments:
            yield f"    for start in range(0, {width(self.sizes.of(operand))}, DEPTH):"
            yield "        k = start + tl.arange(0, DEPTH)[None, :]"
            yield "        rows = start + tl.arange(0, DEPTH)[:, None]"
            yield from indented(self._operand(operand, "k", "DEPTH"), 2)
            for index, name in zip(part.results, names, strict=True):
                weights = self.blocked.weights(part, name, operand, "rows", units(self.size))
                yield f"        v{index} = {_dot('a', weights, index)}"

    def _operand(self, index: int, k: str, depth: str) -> Iterator[str]:
        """Yield the load of a block of a product's operand, [rows, depth], as `a`."""
        yield from self._loaded("a", index, k)
        yield f"a = tl.broadcast_to(a, (ROWS, {depth})).to(FACTOR)"

    def _partial_sum(self, index: int) -> Iterator[str]:
        arg = self.graph.nodes[index].args[0]
        yield from self._value(arg)
        total = f"tl.sum(tl.where({units(self.size)} < {width(self.size)}, {operand(self.graph, arg)}, 0.0), axis=1, keep_dims=True)"
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

    def _load(self, slot: Slot, offset: str, u: str) -> str:
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


def held(part: Contraction, place: int, name: str) -> str:
    """Return the name of a matrix that a program holds for the whole loop."""
    return f"held_{part.results[0]}_{place}_{ascii_name(name.replace('.', '_'))}"


def _dot(a: str, weights: str, index: int) -> str:
    return f"tl.dot({a}, {weights}, acc=v{index}, input_precision=PRECISION, out_dtype=REAL)"


def value_key(index: int) -> Key:
    """Return the key under which a value within a step has a slot."""
    return Key("operand", f"v{index}")


def _computed(sweep: Sweep) -> Iterator[int]:
    yield from (*sweep.pointwise, *sweep.sums)
    for part in sweep.contractions:
        yield from part.results
