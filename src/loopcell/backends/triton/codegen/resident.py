"""The resident kernel: a program has a few rows of the batch, all units, and all of T in one launch.

Blocks are as wide as the sizes are, rounded up to a power of two, so that every value of a step stays on the chip, and
the weights do for the whole loop. Nothing is exchanged between programs.
"""

from __future__ import annotations

from collections.abc import Iterator

from loopcell.backends.triton.codegen.blocks import indented, load, operand, spelled, store, units, width
from loopcell.backends.triton.codegen.kernel import (
    KernelText,
    kernel_text,
    rows_of_program,
    step_of_rows,
    steps_of_rows,
)
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import ONE, Access, Slots, Use
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key, cotangent_of
from loopcell.equations.names import ascii_name


def resident_kernel(loop: Loop) -> KernelText:
    """Write a loop as a resident kernel."""
    return _ResidentWriter(loop).kernel()


class _ResidentWriter:
    def __init__(self, loop: Loop) -> None:
        self.loop, self.graph, self.sizes = loop, loop.graph, loop.sizes
        self.slots = Slots()
        self.operands = {arg for node in self.graph.nodes for arg in _vectors_of(node)}

    def kernel(self) -> KernelText:
        """Return the kernel."""
        self._add_slots()
        body = list(self._body())
        blocks = tuple(f"P_{ascii_name(size)}" for size in self.loop.named_sizes)
        return kernel_text(self.loop, self.slots, ("lengths", "resets", "B", "T"), (*blocks, "ROWS"), body)

    def _add_slots(self) -> None:
        for key in self.loop.states:
            self.slots.add(Use.READ, self._before(key), Access.ROW, self._state_size(key))
        self.loop.add_leaves(self.slots)
        self.loop.add_results(self.slots)
        for key in self.loop.states:
            self.slots.add(Use.WRITTEN, key, Access.ROW, self._state_size(key))
        for key in self.loop.histories:
            self.slots.add(Use.HISTORY, key, Access.STATES, self._state_size(key))

    def _before(self, state: Key) -> Key:
        """Return the key of what is carried into the loop: a state, or its cotangent against the order of time."""
        return cotangent_of(state) if self.loop.reverse else state

    def _state_size(self, state: Key) -> str:
        return self.sizes.of(self.graph.results[state])

    # -- the loop --------------------------------------------------------------------------------------

    def _body(self) -> Iterator[str]:
        yield from rows_of_program()
        for size in self.loop.named_sizes:
            yield f"{units(size)} = tl.arange(0, P_{ascii_name(size)})[None, :]"
            yield f"k_{ascii_name(size)} = tl.arange(0, P_{ascii_name(size)})[:, None]"
        yield from self._weights()
        yield from self._constant_leaves()
        for state in self.loop.states:
            carried = self.slots[Use.READ, self._before(state)]
            yield f"{_carried(state)} = {load(carried)}"
            if state in self.loop.histories and not self.loop.reverse:
                yield store(self.slots[Use.HISTORY, state], _carried(state), f"b * {width(carried.size)}")
        for key, use, _ in self.loop.written():
            if use is Use.SUMMED:
                yield f"{self.slots[use, key].name}_now = tl.zeros([ROWS, {self._block(key)}], REAL)"
        yield from steps_of_rows()
        if self.loop.reverse:
            yield "for step in range(0, last):"
            yield "    t = last - 1 - step"
        else:
            yield "for t in range(0, last):"
        yield from indented(step_of_rows())
        yield from indented(self._step())
        for state in self.loop.states:
            yield store(self.slots[Use.WRITTEN, state], _carried(state))
        for key, use, _ in self.loop.written():
            if use is Use.SUMMED:
                yield store(self.slots[use, key], f"{self.slots[use, key].name}_now")

    def _block(self, key: Key) -> str:
        size = self.sizes.of(self.graph.results[key])
        return "1" if size == ONE else f"P_{ascii_name(size)}"

    def _weights(self) -> Iterator[str]:
        """Yield the loads of the matrices: [depth, units], transposed where the reverse step multiplies by P^T."""
        done: set[str] = set()
        for node in self.graph.nodes:
            for matrix, vector in _factors_of(node):
                name = self._weight(matrix, node)
                if name in done:
                    continue
                done.add(name)
                slot = self.slots[Use.READ, self.graph.nodes[matrix].key]
                depth, size = self.sizes.of(vector), self.sizes.name(node.dims[0])
                k, u = f"k_{ascii_name(depth)}", units(size)
                offset = f"{u} * {slot.name}_s + {k}" if node.op == "matmul" else f"{k} * {slot.name}_s + {u}"
                mask = f"({k} < {width(depth)}) & ({u} < {width(size)})"
                yield f"{name} = tl.load({slot.name} + {offset}, mask={mask}, other=0.0).to(FACTOR)"

    def _weight(self, matrix: int, node: Node) -> str:
        slot = self.slots[Use.READ, self.graph.nodes[matrix].key]
        return f"{slot.name}_{'w' if node.op == 'matmul' else 't'}"

    def _constant_leaves(self) -> Iterator[str]:
        for index, node in self.graph.leaves():
            slot = self.slots.get(Use.READ, node.key) if node.name else None
            if slot is not None and node.op != "state" and slot.access in (Access.ROW, Access.WHOLE):
                if node.op != "cotangent":
                    yield f"v{index} = {load(slot)}"

    # -- one step --------------------------------------------------------------------------------------

    def _step(self) -> Iterator[str]:
        for index, node in enumerate(self.graph.nodes):
            yield from self._node(index, node)
            if index in self.operands:
                yield from self._factor(index)
        yield from self._stores()
        yield from self._carry()

    def _node(self, index: int, node: Node) -> Iterator[str]:
        if node.op in ("state", "cotangent"):
            yield from self._carried_leaf(index, node)
        elif node.op in ("constant", "size"):
            return
        elif not node.args:
            slot = self.slots[Use.READ, node.key]
            if slot.access is Access.SEQUENCE:
                yield f"v{index} = {load(slot)}"
        elif node.op in ("matmul", "matmul_t"):
            sum_ = ""
            for matrix, vector in _factors_of(node):
                product = f"a{vector}, {self._weight(matrix, node)}{sum_}"
                yield f"v{index} = tl.dot({product}, input_precision=PRECISION, out_dtype=REAL)"
                sum_ = f", acc=v{index}"
        elif node.op == "sum":
            size = self.sizes.of(node.args[0])
            yield f"v{index} = tl.sum(tl.where({units(size)} < {width(size)}, v{node.args[0]}, 0.0), axis=1, keep_dims=True)"
        else:
            yield f"v{index} = {spelled(self.graph, self.sizes, node, self._width_of(node))}"

    def _width_of(self, node: Node) -> str:
        size = self.sizes.of_node(node)
        return "1" if size == ONE else f"P_{ascii_name(size)}"

    def _carried_leaf(self, index: int, node: Node) -> Iterator[str]:
        if node.op == "state" and self.loop.reverse:
            slot = self.slots[Use.HISTORY, node.key]
            yield f"v{index} = {load(slot, f'at * {width(slot.size)}')}"
        elif node.key == cotangent_of(Key("output")):
            yield f"v{index} = {load(self.slots[Use.READ, node.key])}"
        else:
            state = node.key if node.op == "state" else Key.parse(node.name)
            yield f"v{index} = {_carried(state)}"
        if node.op == "state":
            yield "if resets is not None:"
            yield f"    v{index} = tl.where(fresh, 0.0, v{index})"
        else:  # past a row's end nothing arrives
            yield "if lengths is not None:"
            yield f"    v{index} = tl.where(valid, v{index}, 0.0)"

    def _factor(self, index: int) -> Iterator[str]:
        """Yield the operand of a product: zeros behind its last unit, where a value may be anything."""
        size = self.sizes.of(index)
        block = f"P_{ascii_name(size)}"
        yield f"a{index} = tl.broadcast_to(v{index}, (ROWS, {block}))"
        yield f"if {width(size)} != {block}:"
        yield f"    a{index} = tl.where({units(size)} < {width(size)}, a{index}, 0.0)"
        yield f"a{index} = a{index}.to(FACTOR)"

    def _stores(self) -> Iterator[str]:
        for key, use, _ in self.loop.written():
            slot, value = self.slots[use, key], self._value(key)
            yield f"y = {value}"
            yield "if lengths is not None:"
            yield "    y = tl.where(valid, y, 0.0)"
            yield f"{slot.name}_now += y" if use is Use.SUMMED else store(slot, "y")

    def _carry(self) -> Iterator[str]:
        """Yield the states' way to the next step, all of them computed before any is replaced."""
        for state in self.loop.states:
            new, size = f"next_{ascii_name(state.name)}", self._state_size(state)
            yield f"{new} = tl.broadcast_to({self._value(state)}, (ROWS, P_{ascii_name(size)}))"
            yield "if lengths is not None:"
            yield f"    {new} = tl.where(valid, {new}, {_carried(state)})"
            if self.loop.reverse:  # at a reset the state before the step was not read, whatever it was
                yield "if resets is not None:"
                yield f"    {new} = tl.where(fresh, 0.0, {new})"
            elif state in self.loop.histories:
                yield store(self.slots[Use.HISTORY, state], new, f"(at + batch) * {width(size)}")
        for state in self.loop.states:
            yield f"{_carried(state)} = next_{ascii_name(state.name)}"

    def _value(self, key: Key) -> str:
        return operand(self.graph, self.graph.results[key])


def _carried(state: Key) -> str:
    return f"now_{ascii_name(state.name)}_"


def _factors_of(node: Node) -> list[tuple[int, int]]:
    """Return (matrix, vector) of every product of a node."""
    return list(zip(node.args[0::2], node.args[1::2], strict=True)) if node.op in ("matmul", "matmul_t") else []


def _vectors_of(node: Node) -> list[int]:
    return [vector for _, vector in _factors_of(node)]
