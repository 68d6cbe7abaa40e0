"""The blocked kernel: a program has a few rows of the batch and works on a block of units at a time.

A step is a number of sweeps over the units (`passes.sweeps`). What one sweep computes and another reads goes through
memory, and a barrier stands between them. Compile-time arguments make three kinds of kernel of the one text:

| kind       | a program has                | barrier           | weights                   | launches           |
|------------|------------------------------|-------------------|---------------------------|--------------------|
| streamed   | all blocks of its rows       | within a program  | read at every step        | one                |
| persistent | one block of its rows        | across programs   | the same, or held (HOLD)  | one                |
| stepped    | one block of its rows        | the launch        | multiplied by the caller  | one a sweep a step |

With SWEEP >= 0 a launch does one sweep only, so that the interpreter, whose programs run one after the other, can run
the blocks of a persistent kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from loopcell.backends.triton.codegen.blocks import indented
from loopcell.backends.triton.codegen.kernel import KernelText, kernel_text, rows_of_program, step_of_rows, steps
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import ONE, RowAccess, SlotTable, Use
from loopcell.backends.triton.codegen.sweep import SweepWriter, SweptLoop, held, value_key
from loopcell.equations.keys import Key
from loopcell.equations.names import ascii_name
from loopcell.passes.sweeps import Sweep, sweeps

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
        self.contractions = tuple(part for sweep in self.sweeps for part in sweep.contractions)
        self.slots = SlotTable()
        self._add_slots()
        self.swept = SweptLoop(loop, self.slots, self.contractions)

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
        depths = {self.sizes.of(index): None for part in self.contractions for index, _ in part.segments}
        return {f"P_{ascii_name(size)}": size for size in depths}

    # -- the tensors -----------------------------------------------------------------------------------

    def _add_slots(self) -> None:
        self.loop.add_leaves(self.slots)
        self.loop.add_results(self.slots)
        for state in self.loop.states:
            self.slots.add(Use.CARRIED, state, RowAccess.STATES, self._state_size(state))
        for state in self.loop.histories:
            self.slots.add(Use.HISTORY, state, RowAccess.STATES, self._state_size(state))
        for index in self._spilled():
            self.slots.add(Use.SCRATCH, value_key(index), RowAccess.ROW, self.sizes.of(index))
        for sweep in self.sweeps:
            for index in sweep.sums:
                self.slots.add(Use.PARTIAL, value_key(index), RowAccess.ROW, ONE)
        for number, part in enumerate(self.contractions):
            self.slots.add(Use.GIVEN, Key("product", f"of{number}"), RowAccess.SEQUENCE, self.sizes.of(part.results[0]))

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
        yield f"for step in {steps('first', 'until')}:"
        yield f"    t = {'T - 1 - step' if self.loop.reverse else 'step'}"
        yield from indented(step_of_rows())
        for number, sweep in enumerate(self.sweeps):
            yield from indented(self._section(number, SweepWriter(self.swept, sweep).lines()))
        if self.rest:
            yield from indented(self._section(len(self.sweeps), self._rest()))

    def _held(self) -> Iterator[str]:
        for part in self.contractions:
            for place, (index, names) in enumerate(part.segments):
                depth = self.sizes.of(index)
                k = f"tl.arange(0, P_{ascii_name(depth)})[:, None]"
                for name in names:
                    yield f"{held(part, place, name)} = {self.swept.weights(part, name, depth, k, 'u_held')}"

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
            yield from SweepWriter(self.swept, Sweep(self.sizes.of(index), (), (), (), ())).alone(key, index)


def _computed(sweep: Sweep) -> Iterator[int]:
    yield from (*sweep.pointwise, *sweep.sums)
    for part in sweep.contractions:
        yield from part.results
