"""Addressing: where in memory a row of a value lies, as C text: in a tensor of the call, or in scratch memory.

A kernel is given every tensor as a base address and up to two strides (`Slot` in layout.py). Inside a loop over rows
the names `t`, `b` and `p` are the step, the row of the batch and the row of the saved tensors (the macro AT in
headers/rows.h), so that the address of a row is one sum, which depends on the access pattern alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from loopcell.backends.c.codegen.layout import Access, Role
from loopcell.backends.c.codegen.region import RegionWriter
from loopcell.backends.c.codegen.region_products import Buffer
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key
from loopcell.equations.names import ascii_name

_OFFSETS = {
    Access.SEQUENCE: " + t * {0}_t + b * {0}_b",
    Access.ROW: " + b * {0}_b",
    # Rows of saved tensors stand in the order of computation, and rows past their sequence's end have none: `p` counts
    # the rows before this one, so no product of step and batch would do.
    Access.SAVED: " + p * {0}_b",
}
"""What is added to the base address; nothing for a tensor that is the same for all rows, or is added up elsewhere."""

_LEAVES = {"input": Access.SEQUENCE, "cotangent": Access.SEQUENCE, "saved": Access.SAVED, "hoisted": Access.ROW}
_FORWARD = {"output": Access.SEQUENCE, "record": Access.SEQUENCE, "state": Access.ROW}
_BACKWARD = {"state": Access.ROW, "hoisted": Access.ROW, "parameter": Access.SUMMED}


class ScratchWriter(RegionWriter):
    """Writes a region whose spilled values lie in scratch, or in a saved result that is the same value."""

    def scratch_buffers(self) -> Iterator[Buffer]:
        """Yield the scratch memory: (C type, name, how many)."""
        # Sizes are C expressions: one kernel serves every batch, so memory is asked for when it is called. No scratch
        # outlives a step, and `rows` of them are as many as a thread's share has.
        for index in self.region.spilled:
            if not self.spill_is_result(index):
                yield "real", f"scratch_{index}", f"rows * n_{self.region.size(index)}"

    def own_buffers(self) -> Iterator[Buffer]:
        """Yield the scratch memory of what each member of a team computes for itself."""
        for index in self.scalars:
            yield "real", f"sum_{index}", "rows"

    @abstractmethod
    def access(self, key: Key) -> Access:
        """Return how the tensor of a result is accessed."""

    def spill_row(self, index: int) -> str:
        """Return the address of a spilled value's row."""
        for key in self._saved_as(index):
            return row_of(writes(key), Access.SAVED)
        # Scratch has no time axis: r counts the rows of the list, which are those of one step.
        return f"scratch_{index} + r * n_{self.region.size(index)}"

    def spill_is_result(self, index: int) -> bool:
        """Say whether a spilled value lies in a saved result."""
        return any(True for _ in self._saved_as(index))

    def _saved_as(self, index: int) -> Iterator[Key]:
        """Yield the results that save a value: what the backward pass reads, a later sweep can read as well."""
        for key, result in self.graph.results.items():
            if result == index and self.access(key) is Access.SAVED:
                yield key

    def scalar(self, index: int) -> str:
        """Return the place of a row's scalar."""
        return f"sum_{index}[r]"


def leaf_row(node: Node) -> str:
    """Return the address of a leaf's row, of a leaf that is a tensor of the call."""
    return row_of(reads(node.key), leaf_access(node))


def row_of(tensor: str, access: Access) -> str:
    """Return the address of a tensor's row, by the tensor's C name."""
    # Strides are named after the tensor, NAME_t and NAME_b, so that no table of them has to be carried along.
    return tensor + _OFFSETS.get(access, "").format(tensor)


def leaf_access(node: Node) -> Access:
    """Return how a leaf's tensor is accessed."""
    if node.op == "random":
        # A draw for each step has a row for each step; one for the whole sequence is read again at every step.
        return Access.SEQUENCE if node.random is not None and node.random.each == "step" else Access.ROW
    if node.op == "state":
        return Access.SAVED  # in a backward pass; the forward loop has its states in memory of its own
    return _LEAVES.get(node.op, Access.WHOLE)


def forward_access(key: Key) -> Access:
    """Return how a result of the forward loop is accessed."""
    # What is not for the caller is saved for backward.
    return _FORWARD.get(key.kind, Access.SAVED)


def backward_access(key: Key) -> Access:
    """Return how a result of the reverse loop is accessed."""
    # Everything else is a cotangent, or an operand, that a product after the loop reads: no padding in between.
    return _BACKWARD.get(key.kind, Access.SAVED)


def reads(key: Key) -> str:
    """Return the C name of a tensor that is read."""
    # Prefixes keep names apart that share a key: state.h is read as of_state_h and written as to_state_h.
    return f"of_{_word(str(key))}"


def writes(key: Key) -> str:
    """Return the C name of a tensor that is written."""
    return f"to_{_word(str(key))}"


def state_before(state: str) -> str:
    """Return the C name of the tensor of a state's values before each step, which the loop writes and reads."""
    return f"of_{_word(f'before.{state}')}"


def slot_name(role: Role, key: Key) -> str:
    """Return the C name of a slot's tensor."""
    if role is Role.STATE_BEFORE:
        return state_before(key.name)
    return reads(key) if role is Role.READ else writes(key)


def sum_name(key: Key) -> str:
    """Return the C name of a sum over rows and steps."""
    return f"sum_{_word(key.name)}"


def swap(name: str) -> str:
    """Return the line that makes the next step's values this step's."""
    # Pointers change places, and nothing is copied: the old values are read by all rows until the step is over.
    return f"{{ real *last = now_{name}; now_{name} = next_{name}; next_{name} = last; }}"


def _word(text: str) -> str:
    return ascii_name(text.replace(".", "_"))
