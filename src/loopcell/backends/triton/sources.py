"""Sources: a cell's kernels as text, with all that is needed to compile them without a device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from loopcell.backends.triton.codegen.blocked import BlockedLoop
from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.codegen.layout import Loop, forward_loop, reverse_loop
from loopcell.backends.triton.codegen.resident import resident_kernel
from loopcell.backends.triton.launch import constants
from loopcell.backends.triton.launch.choose import KernelChoice
from loopcell.backends.triton.toolchain.modules import function
from loopcell.passes.program import Program


@dataclass(frozen=True, eq=False)
class KernelSource:
    """One kernel, with the types and the compile-time values of its arguments.

    Attributes:
        name: such as "reverse, resident", or "reverse, stepped 2" of the second sweep.
        kernel: its text.
        choice: its kind and its tiles.
        signature: the type of every argument by name, as Triton spells them: "*fp32", "i32", "constexpr".
        constants: the value of every argument of compile time, None for pointers that are not given.
    """

    name: str
    kernel: KernelText
    choice: KernelChoice
    signature: Mapping[str, str]
    constants: Mapping[str, Any]

    @property
    def attributes(self) -> dict[tuple[int, ...], list[list[Any]]]:
        """The facts of arguments that hold at a usual launch: addresses and strides are multiples of 16 (`attrs=`)."""
        aligned = (kind.startswith("*") or name.endswith("_s") for name, kind in self.signature.items())
        return {(place,): [["tt.divisibility", 16]] for place, is_so in enumerate(aligned) if is_so}

    @property
    def function(self) -> Any:
        """The kernel as Triton's compiler takes it.

        `ASTSource(source.function, dict(source.signature), constexprs=dict(source.constants), attrs=source.attributes)`
        """
        return function(self.kernel.source, self.kernel.name)


def kernel_sources(
    program: Program, sizes: Mapping[str, int], dtype: torch.dtype, choice: KernelChoice, *, ragged: bool = True
) -> Iterator[KernelSource]:
    """Yield the kernels of one kind: forward, forward that saves, reverse; a stepped one for each sweep.

    Args:
        program: the cell, as `build_program` or `Programs.reference.program` has it.
        sizes: every size by name.
        dtype: of the tensors.
        choice: the kind and its tiles.
        ragged: with lengths and resets.
    """
    for loop in (forward_loop(program, saves=False), forward_loop(program, saves=True), reverse_loop(program)):
        for kernel, own in _compiled_for(loop, sizes, choice):
            types = constants.signature(kernel, dtype, choice, ragged=ragged)
            values = {**own, **constants.common(dtype)}
            values |= {name: None for name, kind in types.items() if kind == "constexpr" and name not in values}
            sweep = f" {values['SWEEP'] + 1}" if values.get("SWEEP", -1) >= 0 else ""
            yield KernelSource(f"{loop.name}, {choice.kind}{sweep}", kernel, choice, types, values)


def _compiled_for(
    loop: Loop, sizes: Mapping[str, int], choice: KernelChoice
) -> Iterator[tuple[KernelText, dict[str, Any]]]:
    """Yield the kernels that run a loop, each with its constants, `common` aside."""
    if choice.kind == "resident":
        yield resident_kernel(loop), constants.of_resident(loop, sizes, choice)
        return
    blocked = BlockedLoop(loop)
    for sweep in range(blocked.sections) if choice.kind == "stepped" else (-1,):
        yield blocked.kernel(), constants.of_blocked(blocked, sizes, choice, sweep)
