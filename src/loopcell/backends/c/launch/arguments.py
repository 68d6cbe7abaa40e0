"""Arguments: from tensors to the struct of addresses and strides that a kernel takes.

The struct is `arguments` of headers/rows.h: 64-bit numbers, so that Python can write it as an array. Behind its fields
stand, in this order, the sizes of the kernel, the addresses of its slots and matrices (`at`), two strides for each of
these (`strides`), and room for the addresses of packed weights, which the kernel fills in itself.

For a call with a shape that came before, most of it is known already: weights rarely move. So each `Launch` remembers
for each kernel the struct as far as it stays the same; a call copies it and enters the addresses of its own tensors.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from loopcell.backends.c.codegen.kernel import LoopKernel
from loopcell.backends.c.codegen.layout import Access, Role, SlotKey
from loopcell.backends.c.launch import pages
from loopcell.backends.c.launch.library import ForwardKernels, Kernels
from loopcell.backends.c.toolchain import threads
from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import WeightLayout
from loopcell.equations.keys import Key
from loopcell.errors import InputError, LoopcellError, TensorError

FEW_ROWS = 4
"""Up to so many steps of all rows, packing weights and calling a library of products cost more than they give."""
_PROLOGUE_BYTES = 256 * 1024
"""Values computed ahead of the loop: what a core's second-level cache holds beside the weights."""

# Positions in 64-bit numbers: they change with the struct in headers/rows.h, and with the list in `_prepared`.
DIRECT, PACKED, MEMORY, FAILED, START, DATA = 5, 6, 11, 13, 14, 20
"""Where in the struct the fields `direct`, `packed`, `memory`, `failed`, `start` and `data` stand."""
_SET_BY_THE_CALL = (0,) * 4
"""The fields memory, next, failed and start; and size, at, stride and pack, which point into `data`."""

_Base = tuple[int, tuple[int, ...], torch.Size]
"""The address, the strides and the shape of a tensor of weights."""


@dataclass(frozen=True, eq=False)
class ForwardSignature:
    """The facts about a call of a cell's loop for inference that hold before its tensors are there.

    Attributes:
        kernels: what is called.
        sizes: every size, by name.
        keys: what the tensors of a call are, such as input.x, state.h, hoisted.w, random.mask; behind these tensors
            come those of the weights.
        layout: where in the tensors of the weights each parameter lies.
        shapes: of these tensors.
    """

    kernels: ForwardKernels
    sizes: Mapping[str, int]
    keys: tuple[Key, ...]
    layout: WeightLayout
    shapes: tuple[torch.Size, ...]

    def check_shapes(self, bases: Sequence[Tensor]) -> None:
        """Refuse weights in which a kernel would read past the end.

        Raises:
            TensorError: a tensor has not the shape that the equations need.
        """
        for name, dims in self.kernels.parameters.items():
            shape = tuple(self.sizes[size] for size in dims)
            for part in self.layout.slices[name]:
                base = bases[part.base]
                # A negative count is a parameter that is the whole tensor, of however many axes; any other is some
                # of its rows, such as a gate of a packed weight.
                rows = base.shape[:1] if part.count < 0 else shape[:1]
                fits = part.count < 0 or (part.count == shape[0] and part.start + part.count <= base.shape[0])
                if not fits or (*rows, *base.shape[1:]) != shape:
                    raise TensorError(f"`{name}` must be {list(shape)}; the tensor that holds it is {list(base.shape)}")


@dataclass(frozen=True, eq=False)
class KernelSignature(ForwardSignature):
    """The same of kernels that can be called with and without a gradient."""

    kernels: Kernels


@dataclass(slots=True, eq=False)  # not frozen: freezing costs more than the work of a small call
class Launch:
    """The rows of a call, whatever its tensors hold: order, lengths, resets.

    Attributes:
        lengths: where rows end and start afresh.
        batch: B.
        threads: how many there are: the members of all teams.
        team: how many of them go through one share of the rows together, each with a part of the units.
        saved_rows: N, the rows of tensors that are saved for backward: at least one for every valid step of every row.
        known: by kernel, the arguments as far as they stay the same, and for which tensors of the weights they do.
    """

    lengths: Lengths
    batch: int
    threads: int
    saved_rows: int
    team: int = 1
    known: dict[KernelArguments, tuple[list[_Base], array[int]]] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """True if all rows run from the first step to the last, and none starts afresh."""
        lengths = self.lengths
        return (lengths.lengths is None or lengths.order is None) and lengths.reset is None

    @property
    def index(self) -> Tensor | None:
        """The position in [T * B] of each valid step, int64, which backward asks for; None where no row ends early."""
        return self.lengths.index

    def addresses(self) -> tuple[int, int, int, int]:
        """Return the fields `order`, `length`, `first` and `reset`: addresses, 0 for what is not there."""
        lengths = self.lengths
        if self.is_plain:  # a kernel without these counts on rows in order and of full length, and looks nothing up
            return (0, 0, 0, 0)
        return (
            _address(lengths.order),
            _address(lengths.sorted_lengths),
            _address(lengths.first_rows),
            _address(lengths.reset),
        )


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


class KernelArguments:
    """The arguments of one kernel, for calls with one signature.

    Attributes:
        kernel: the loop.
        places: the position of every slot among the addresses.
        at: where the addresses begin in the struct.
        strides: where the strides begin: 2 * place is the one from step to step (of a matrix: from row to row), and
            2 * place + 1 the one from row to row of the batch.
    """

    def __init__(self, signature: ForwardSignature, kernel: LoopKernel) -> None:
        self.kernel = kernel
        self._function = signature.kernels.functions[kernel.name]
        self._itemsize = signature.kernels.dtype.itemsize
        self._signature = signature
        self._count = len(signature.keys)
        self._sizes = [signature.sizes[size] for size in kernel.sizes]
        self.places: dict[SlotKey, int] = {(slot.role, slot.key): place for place, slot in enumerate(kernel.slots)}
        # Behind the fields: the sizes, then the addresses of slots and matrices, then two strides for each of these.
        self.at = DATA + len(self._sizes)
        self.strides = self.at + len(kernel.slots) + len(kernel.matrices)
        access = {slot.key: slot.access for slot in kernel.slots if slot.role is Role.READ}
        # What of the call's tensors this kernel reads: (its place, which tensor, whether it has rows for every step).
        self._read = [
            (self.places[Role.READ, key], number, access[key] is Access.SEQUENCE)
            for number, key in enumerate(signature.keys)
            if key in access
        ]
        self._single: list[tuple[int, int, int]] = []
        self._summed: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        self._find_parameters()

    def _find_parameters(self) -> None:
        """Note where in the weights each parameter begins: in one tensor (place, base, row), or in a sum of some."""
        kernel, signature = self.kernel, self._signature
        read = [key for role, key in self.places if role is Role.READ and key.kind == "parameter"]
        names = [(self.places[Role.READ, key], key.name) for key in read]  # vectors have slots, matrices follow them
        names += [(len(kernel.slots) + number, name) for number, name in enumerate(kernel.matrices)]
        for place, name in names:
            parts = signature.layout.slices[name]
            bases = tuple(part.base for part in parts)
            # One addition serves every parameter in such a sum (b_ih + b_hh of torch.nn), if each of them lies at the
            # same rows of both.
            if len({part.start for part in parts}) > 1 or len({signature.shapes[base] for base in bases}) > 1:
                raise NotImplementedError("the parts of a sum lie at the same place of tensors of one shape")
            if len(parts) == 1:
                self._single.append((place, parts[0].base, parts[0].start))
            else:
                # The tensors are added once as wholes, however many parameters lie in them.
                self._summed.setdefault(bases, []).append((place, parts[0].start))

    def width(self, key: Key) -> int:
        """Return the length of a result's vector, 1 of a scalar."""
        size = self.kernel.result_sizes[key]
        return self._signature.sizes[size] if size else 1

    def begin(self, launch: Launch, tensors: Sequence[Tensor]) -> tuple[array[int], list[Tensor]]:
        """Return the arguments, with zeros for what the call makes, and what must stay alive until the kernel is done.

        Args:
            launch: how the rows run.
            tensors: those of the call and then those of the weights; the last axis of each contiguous.
        """
        bases = tensors[self._count :]
        # A tensor of weights that lies elsewhere than at the call before (`load_state_dict(assign=True)`, or one that a
        # parametrization computes anew) shows here, by its address, strides or shape.
        where = [(base.data_ptr(), base.stride(), base.shape) for base in bases]
        known = launch.known.get(self)
        if known is None or known[0] != where:
            known = launch.known[self] = (where, self._prepared(launch, where, bases))
        fields = known[1][:]  # calls from several threads have one launch, and each writes to a struct of its own
        at, strides = self.at, self.strides
        for place, number, is_sequence in self._read:
            tensor = tensors[number]
            address = fields[at + place] = tensor.data_ptr()
            if not address:  # also that of an empty tensor, which is no mistake: a closer look costs time, and is rare
                check_has_memory(tensor)
            # Strides come from the tensor, so views with gaps are read where they lie, and a row that is expanded over
            # the batch (stride 0) is not written out.
            if is_sequence:
                fields[strides + 2 * place], fields[strides + 2 * place + 1], _ = tensor.stride()
            elif tensor.dim() == 2:
                fields[strides + 2 * place + 1] = tensor.stride(0)
        return fields, self._add_sums(fields, bases)

    def _add_sums(self, fields: array[int], bases: Sequence[Tensor]) -> list[Tensor]:
        """Enter the parameters that are sums of tensors; return these sums, which nobody else holds."""
        # At every call anew: the sum is the caller's tensors as they are now, and autograd has no part in it.
        keep_alive = []
        for numbers, places in self._summed.items():
            total = bases[numbers[0]]
            for number in numbers[1:]:
                total = total + bases[number]
            keep_alive.append(total)
            start, leading = total.data_ptr(), total.stride(0) if total.dim() else 0
            for place, row in places:
                # Strides count numbers and addresses count bytes; `leading` numbers lie from row to row.
                fields[self.at + place] = start + row * leading * total.element_size()
                fields[self.strides + 2 * place] = leading
        return keep_alive

    def put(self, fields: array[int], place: int, address: int, stride: int) -> None:
        """Enter where a tensor of the call lies, and how many numbers there are from row to row."""
        fields[self.at + place] = address
        fields[self.strides + 2 * place + 1] = stride

    def run(self, fields: array[int]) -> None:
        """Call the kernel.

        Raises:
            LoopcellError: memory ran out.
        """
        invoke(self._function, fields)
        if fields[FAILED]:
            raise LoopcellError("there is not enough memory to run this network")

    def _prepared(self, launch: Launch, where: list[_Base], bases: Sequence[Tensor]) -> array[int]:
        """Return the arguments as they are at every such call, until a tensor of the weights moves."""
        self._signature.check_shapes(bases)
        for base in bases:
            check_has_memory(base)
        addresses = [0] * (len(self.kernel.slots) + len(self.kernel.matrices))
        strides = [0] * (2 * len(addresses))
        for place, number, row in self._single:
            start, steps, _ = where[number]
            leading = steps[0] if steps else 0  # a scalar parameter has no axis, and its one number is read
            addresses[place] = start + row * leading * bases[number].element_size()
            strides[2 * place] = leading
        # `direct`: the weights are read in place. A kernel without products has none to pack, whatever its rows.
        few = launch.lengths.steps * launch.batch <= FEW_ROWS
        return array(
            "q",
            [
                # pool, threads, T, B, chunk, direct, packed, order, length, first, reset; then what the call sets
                threads.entry() or 0,
                launch.threads,
                launch.lengths.steps,
                launch.batch,
                self._chunk(launch),
                few or not self.kernel.packs,
                0,
                *launch.addresses(),
                *_SET_BY_THE_CALL,
                launch.team,
                *_SET_BY_THE_CALL,
                *self._sizes,
                *addresses,
                *strides,
                *(0 for _ in self.kernel.packs),
            ],
        )

    def _chunk(self, launch: Launch) -> int:
        """Return how many steps are computed ahead at a time: as many as stay in the second-level cache."""
        if launch.lengths.steps == 1:
            return 1
        # Long chunks make the prologue's products tall, which is where they are fast; but what they give has to be in
        # the cache still when the loop reads it. A thread has its share of the rows, rounded up.
        width = sum(self._sizes[place] if place >= 0 else 1 for place in self.kernel.prologue_sizes)
        bytes_per_step = max(1, width) * self._itemsize * -(-launch.batch // (launch.threads // launch.team))
        return max(1, min(launch.lengths.steps, _PROLOGUE_BYTES // max(1, bytes_per_step)))


def invoke(function: Callable[[int], object], fields: array[int]) -> None:
    """Call a function of a library on a struct of 64-bit numbers."""
    # The array's own memory is the struct: nothing is copied, and what the kernel writes (FAILED) is read from it.
    function(fields.buffer_info()[0])


def check_has_memory(tensor: Tensor) -> None:
    """Refuse a tensor whose memory was taken away, as sharded training does with parameters that are not in use.

    Raises:
        InputError: there are numbers to read, and no memory.
    """
    if tensor.numel() and not tensor.data_ptr():
        raise InputError(f"a tensor {list(tensor.shape)} has no memory: its storage was resized to 0")


def contiguous_rows(tensor: Tensor) -> Tensor:
    """Return a tensor whose last axis is contiguous, as the kernels read it."""
    # Not `contiguous()` outright: gaps between rows cost nothing, and a copy of a long sequence does. An axis of one
    # entry may have any stride.
    return tensor if tensor.dim() == 0 or tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()


def empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return new memory for a tensor of the dtype and device of another one, in huge pages where it is large."""
    tensor = like.new_empty(shape)
    # Before the first write, which is when the system gives out pages.
    if tensor.nbytes >= pages.LARGE:
        pages.advise(tensor)
    return tensor
