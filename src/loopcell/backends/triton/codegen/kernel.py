"""Kernels as text: a module of Triton with one kernel, and what its arguments are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from loopcell.backends.triton.codegen.blocks import indented
from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import KernelSlot
from loopcell.backends.triton.spelling import FUNCTIONS
from loopcell.equations.names import ascii_name

COMMON = ("REAL", "FACTOR", "PRECISION")
"""Compile-time arguments of every kernel: in which dtype it computes, what it rounds to before it multiplies, how
float32 is multiplied ("ieee", "tf32x3", "tf32")."""


@dataclass(frozen=True, eq=False)
class KernelText:
    """One kernel.

    Attributes:
        name: of the function.
        source: the module's text.
        slots: its tensors, in order; behind them among the arguments come `strides`, then `scalars`, then `constants`.
        strides: the slots that have a stride among the arguments, in order.
        scalars: names of the arguments that change from call to call: no part of what is compiled.
        sizes: names of the cell's sizes, by that of the compile-time argument.
        constants: names of the compile-time arguments, those of sizes aside.
    """

    name: str
    source: str
    slots: tuple[KernelSlot, ...]
    strides: tuple[KernelSlot, ...]
    scalars: tuple[str, ...]
    sizes: Mapping[str, str]
    constants: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of all arguments, in order."""
        return (
            *(slot.name for slot in self.slots),
            *(f"{slot.name}_s" for slot in self.strides),
            *self.scalars,
            *self.sizes,
            *self.constants,
        )


def kernel_text(
    loop: Loop, slots: Iterable[KernelSlot], scalars: tuple[str, ...], constants: tuple[str, ...], body: Iterable[str]
) -> KernelText:
    """Return a kernel of a body, with a compile-time argument for every size."""
    slots, name, lines = tuple(slots), loop.name, list(indented(body))
    strides = tuple(slot for slot in slots if slot.strided)
    sizes = {f"N_{ascii_name(size)}": size for size in loop.named_sizes}
    constants = (*constants, *COMMON)
    arguments = [*(slot.name for slot in slots), *(f"{slot.name}_s" for slot in strides), *scalars]
    constexprs = [f"{constant}: tl.constexpr" for constant in (*sizes, *constants)]
    # T, B and strides would each be compiled anew where they happen to be 1 or a multiple of 16.
    plain = ", ".join(repr(argument) for argument in scalars if argument not in OPTIONAL)
    head = [
        f"@triton.jit(do_not_specialize=[{plain}])",
        f"def {name}(",
        *(f"    {argument}," for argument in (*arguments, *constexprs)),
        "):",
    ]
    text = "\n".join([*head, *lines]) + "\n"
    return KernelText(name, f"{FUNCTIONS}\n\n{text}", slots, strides, scalars, sizes, constants)


def steps(first: str, until: str) -> str:
    """Return the text of a loop's steps.

    What is the same at every step, above all an address for each tensor of each sweep, is computed anew at each: a few
    additions. Held from before the loop on it takes more registers than a layer norm has left.
    """
    return f"tl.range({first}, {until}, disable_licm=True)"


OPTIONAL = ("lengths", "resets", "counters")
"""Pointers that may be None: where all rows are T long, where none starts afresh, where programs do not wait."""


def rows_of_program() -> Iterator[str]:
    """Yield the rows of the batch that a program works on: positions `b`, `in_b` where there is one, and `ends`."""
    yield "batch = tl.cast(B, tl.int64)  # offsets are of 64 bits: T * B * n may be more than 2^31"
    yield "b = (tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS))[:, None]"
    yield "in_b = b < batch"
    yield "u_1 = tl.arange(0, 1)[None, :]"


def steps_of_rows() -> Iterator[str]:
    """Yield the last step of any row of the program, which need not be T."""
    yield "last = T"
    yield "if lengths is not None:"
    yield "    ends = tl.load(lengths + b, mask=in_b, other=0).to(tl.int32)"
    yield "    last = tl.minimum(tl.max(ends), T)"


def step_of_rows() -> Iterator[str]:
    """Yield what is known of a step `t`: where its rows lie, which of them are `valid`, which start `fresh`."""
    yield "at = t * batch + b"
    yield "if lengths is not None:"
    yield "    valid = t < ends"
    yield "if resets is not None:"
    yield "    fresh = tl.load(resets + at, mask=in_b, other=0) != 0"
