"""Backward: calling the reverse kernel on tensors, and the large products after it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from loopcell.backends.c.codegen.layout import Role
from loopcell.backends.c.launch.arguments import (
    FEW_ROWS,
    START,
    KernelArguments,
    KernelSignature,
    Launch,
    contiguous_rows,
    empty,
)
from loopcell.backends.c.launch.few import FewRows
from loopcell.backends.c.launch.forward import SavedForBackward, SavedLayout, side_by_side
from loopcell.backends.c.launch.gradients import MatrixGradients, VectorGradients
from loopcell.equations.keys import OUTPUT, Key, cotangent_of

_BY_STEP = ("operand", "input", "product")
"""Kinds of results with a row for every step of every row of the batch: what the products after the loop read."""


@dataclass(frozen=True, eq=False)
class _ReverseResults:
    """The tensors that a reverse loop has written.

    Attributes:
        cotangents: of the products with matrices, side by side, [N, width].
        sums: the gradients of vectors, side by side, a row from each thread.
        by_step: everything else that has a row for every step, [N, n], by key.
        by_row: the gradients of initial states and of loop invariants, [B, n], by key.
    """

    cotangents: Tensor
    sums: Tensor
    by_step: dict[Key, Tensor]
    by_row: dict[Key, Tensor]


class BackwardPass:
    """The reverse loop, and the products after it, for calls with one signature.

    Args:
        signature: the kernels, and what the calls are given.
        saved: where the forward loop saves what this one reads.
    """

    def __init__(self, signature: KernelSignature, saved: SavedLayout) -> None:
        kernels = signature.kernels
        self._signature = signature
        self.saved = saved
        self._alias = kernels.loops.alias
        self.arguments = arguments = KernelArguments(signature, kernels.reverse)
        self._lay_out(signature)
        # A cotangent that is the same value as another was written once; the products find it under both keys.
        same = {key: self._columns[other] for key, other in self._alias.items() if other in self._columns}
        # Columns come first, for the products after the loop are planned by where the loop puts their cotangents.
        self._matrices = MatrixGradients(signature, self._columns | same)
        self._vectors = VectorGradients(signature, self._vector_columns)
        self._few = FewRows(signature, self._matrices.outer, self._width)
        self._written = [
            [(arguments.places[Role.WRITTEN, key], column.start) for key, column in columns.items()]
            for columns in (self._columns, self._vector_columns)
        ]
        self._count = len(signature.keys)
        self._states = [signature.keys.index(key) for key in kernels.states]
        self._arriving_states = [
            (arguments.places[Role.READ, cotangent_of(key)], self._by_row[key]) for key in kernels.states
        ]
        self._arriving_output = arguments.places.get((Role.READ, cotangent_of(OUTPUT)))
        self._read = [
            (arguments.places[Role.READ, key], key) for key in saved.columns if (Role.READ, key) in arguments.places
        ]
        self._zero_rows: dict[int, Tensor] = {}

    def _lay_out(self, signature: KernelSignature) -> None:
        """Decide where the loop writes each of its results: side by side, or as a tensor of its own."""
        width, kernels = self.arguments.width, signature.kernels
        backward, results = kernels.fused.backward, kernels.loops.backward.results
        # In the order of the parameters in the weights, so that the gates of one tensor come out as one product.
        order = {name: number for number, name in enumerate(signature.layout.slices)}
        outer = sorted(backward.outer, key=lambda product: order[product.parameter])
        # A dict as an ordered set: a cotangent that several products read has one column.
        keys = dict.fromkeys(self._alias.get(product.cotangent, product.cotangent) for product in outer)
        self._columns = side_by_side([key for key in keys if key.kind == "product"], width)
        self._width = sum(column.count for column in self._columns.values())
        vectors = sorted(kernels.reverse.reduced, key=lambda key: order[key.name])
        self._vector_columns = side_by_side(vectors, width)
        self._vectors_width = sum(column.count for column in self._vector_columns.values())
        # What no product after the loop takes with others: the cotangent of the input, operands computed again.
        apart = [key for key in results if key.kind in _BY_STEP and key not in self._columns]
        self._by_step = {key: width(key) for key in apart}
        self._by_row = {key: width(key) for key in results if key.kind in ("state", "hoisted")}

    def run(
        self,
        launch: Launch,
        tensors: Sequence[Tensor],
        saved: SavedForBackward,
        arriving: Sequence[Tensor | None],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradient of every tensor of the call, in order; None where none is wanted or reaches it.

        Args:
            launch: how the rows run.
            tensors: those of the call and then those of the weights, as forward had them.
            saved: what forward saved.
            arriving: the gradients of the output and of the final states; None for zeros.
            wanted: which tensors want a gradient.
        """
        arguments, like = self.arguments, tensors[0]
        # The struct holds addresses, which keep nothing alive: whatever is made here for the kernel alone (sums of
        # weights, contiguous copies of gradients) has to have a name until it has run.
        fields, keep_alive = arguments.begin(launch, tensors)
        # Without this the kernel leaves out the last product of step 0, which nobody would read.
        fields[START] = any(wanted[number] for number in self._states)
        keep_alive += self._enter_arriving(launch, arriving, like, fields)
        for place, key in self._read:
            arguments.put(fields, place, *saved.place(key))
        results = self._allocate(launch, like, states=bool(fields[START]))
        self._enter_columns(fields, self._written[0], results.cotangents)
        self._enter_columns(fields, self._written[1], results.sums)
        for key, tensor in (*results.by_step.items(), *results.by_row.items()):
            arguments.put(fields, arguments.places[Role.WRITTEN, key], tensor.data_ptr(), tensor.shape[1])
        arguments.run(fields)
        del keep_alive  # until here the kernel has read it
        by_step = results.by_step
        # One store stands for several results of equal value; from here on each goes by its own key again.
        by_step |= {key: by_step[other] for key, other in self._alias.items() if other in by_step}
        return self._gradients(launch, tensors, saved, results, wanted)

    def _allocate(self, launch: Launch, like: Tensor, *, states: bool) -> _ReverseResults:
        """Return memory for what the loop writes; for the gradients of initial states only where they are wanted."""
        rows, batch = launch.saved_rows, launch.batch
        cotangents = empty(like, (rows, self._width))
        sums = like.new_zeros((launch.threads, self._vectors_width))  # a thread without a row writes none
        by_step = {key: empty(like, (rows, width)) for key, width in self._by_step.items()}
        by_row = {}
        for key, width in self._by_row.items():
            if key.kind == "hoisted":
                by_row[key] = like.new_zeros((batch, width))  # the loop adds to it, step by step
            elif states:
                by_row[key] = like.new_empty((batch, width))
        return _ReverseResults(cotangents, sums, by_step, by_row)

    def _enter_columns(self, fields: array[int], columns: Sequence[tuple[int, int]], tensor: Tensor) -> None:
        """Enter where the loop writes what lies side by side in one tensor."""
        start, size, width = tensor.data_ptr(), tensor.element_size(), tensor.shape[1]
        # Each column range has an address of its own and the whole tensor's width from row to row, so the kernel
        # need not know that others write between its rows.
        for place, column in columns:
            self.arguments.put(fields, place, start + column * size, width)

    def _enter_arriving(
        self, launch: Launch, arriving: Sequence[Tensor | None], like: Tensor, fields: array[int]
    ) -> list[Tensor]:
        """Enter the gradients that arrive; return what must stay alive."""
        d_output, *d_states = arriving
        keep_alive = []
        if self._arriving_output is not None:
            keep_alive.append(self._enter_output(launch, d_output, like, fields))
        for (place, width), d_state in zip(self._arriving_states, d_states, strict=True):
            if d_state is None:
                # A stride of 0 between rows: one row of zeros is the gradient of every row of the batch.
                self.arguments.put(fields, place, self._zeros(like, width).data_ptr(), 0)
                continue
            arrived = contiguous_rows(d_state)
            keep_alive.append(arrived)
            self.arguments.put(fields, place, arrived.data_ptr(), arrived.stride(0))
        return keep_alive

    def _enter_output(self, launch: Launch, d_output: Tensor | None, like: Tensor, fields: array[int]) -> Tensor:
        """Enter the gradient of the output [T, B, n]; return the tensor that holds it.

        Strides of 0 let one row stand for all: where no gradient arrives, and for that of a sum, which autograd expands
        from one number and which would have to be written out else.
        """
        place, arguments = self._arriving_output, self.arguments
        assert place is not None  # the caller has looked
        if d_output is None:
            d_output = self._zeros(like, self.saved.output_width)
            arguments.put(fields, place, d_output.data_ptr(), 0)
        elif launch.lengths.steps * launch.batch > 1 and not d_output.stride(0) and not d_output.stride(1):
            # Only the last axis has to be contiguous, and that of an expanded tensor need not be.
            d_output = d_output[0, 0].contiguous()
            arguments.put(fields, place, d_output.data_ptr(), 0)
        else:
            d_output = contiguous_rows(d_output)
            fields[arguments.strides + 2 * place], by_row, _ = d_output.stride()
            arguments.put(fields, place, d_output.data_ptr(), by_row)
        return d_output

    def _zeros(self, like: Tensor, width: int) -> Tensor:
        """Return a row of zeros, one for all that read it: nobody writes it."""
        row = self._zero_rows.get(width)
        if row is None:
            row = self._zero_rows[width] = like.new_zeros(width)
        return row

    def _gradients(
        self,
        launch: Launch,
        tensors: Sequence[Tensor],
        saved: SavedForBackward,
        results: _ReverseResults,
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradient of every tensor, from what the loop has written."""
        bases, needed = tensors[self._count :], wanted[self._count :]

        def operand(key: Key) -> Tensor:
            """Return [N, n]: what a matrix was multiplied with, saved by forward, given to it, or computed again."""
            if key in self.saved.columns:
                return saved.values(key)
            if key in self._signature.keys:
                return _gathered(launch, tensors[self._signature.keys.index(key)])
            return results.by_step[key]

        gathered = []

        def place(key: Key) -> tuple[int, int]:
            """Return where such a tensor begins, and how many numbers there are from row to row."""
            if key in self.saved.columns:  # without a tensor of its own, which takes longer than few rows
                return saved.place(key)
            gathered.append(operand(key))
            return gathered[-1].data_ptr(), gathered[-1].stride(0)

        # Matrices first: a product may fill a whole tensor without zeros before it, and vectors are then added to
        # those tensors in which they share memory with matrices.
        if launch.saved_rows <= FEW_ROWS:
            gradients = self._few.of_matrices(results.cotangents, place, bases, needed)
        else:
            gradients = self._matrices.of_matrices(launch, results.cotangents, operand, bases, needed)
        self._vectors.add_to(gradients, bases, results.sums)
        found: list[Tensor | None] = []
        for key, tensor, want in zip(self._signature.keys, tensors, wanted, strict=False):  # those of the call
            if not want:
                found.append(None)
            elif key.kind == "input":
                start = results.by_step.get(key)
                reached = self._matrices.of_input(launch, key, results.cotangents, start, bases)
                found.append(_spread(launch, reached, tensor))
            else:
                # A state or a loop invariant may have come in as one row for the whole batch: its gradient is the sum.
                gradient = results.by_row.get(key)
                found.append(None if gradient is None else gradient.sum_to_size(tensor.shape))
        return found + [gradients.get(base) if need else None for base, need in enumerate(needed)]


def _gathered(launch: Launch, tensor: Tensor) -> Tensor:
    """Return [N, n] of a tensor [T, B, n], or of one that holds for all steps: the rows that kernels have saved."""
    steps, batch, index = launch.lengths.steps, launch.batch, launch.index
    if tensor.shape[:-1] != (steps, batch):  # one value for all steps stands beside each of their cotangents
        tensor = tensor.expand(steps, batch, tensor.shape[-1])
    flat = tensor.reshape(steps * batch, tensor.shape[-1])
    return flat if index is None else flat.index_select(0, index)


def _spread(launch: Launch, gradient: Tensor | None, like: Tensor) -> Tensor | None:
    """Return [T, B, n] of [N, n]: zeros past a row's end."""
    # Rows of [N, n] are in the order of computation; where all rows run to the end, that is the order of [T, B].
    index = launch.index
    if gradient is None or index is None:
        return None if gradient is None else gradient.view(like.shape)
    flat = gradient.new_zeros((like.shape[0] * like.shape[1], like.shape[2]))
    return flat.index_copy_(0, index, gradient).view(like.shape)
