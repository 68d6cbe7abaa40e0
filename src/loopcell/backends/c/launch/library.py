"""Library: a cell's loops as one compiled library."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import torch

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.codegen.loops import Loops
from loopcell.backends.c.codegen.names import headers
from loopcell.backends.c.toolchain.build import BuildError, build, vector_bytes
from loopcell.equations.keys import state_keys
from loopcell.equations.names import ascii_name
from loopcell.passes.fuse import Fused

MOST_NODES = 600
"""Of a cell: the largest of the library has 150. A model file may have thousands, and compilers take minutes then."""
_BYTES = {torch.float32: 4, torch.float64: 8}


class ForwardKernels:
    """A cell's loop for inference in C, alone or among others.

    Attributes:
        fused: what is run.
        dtype: torch.float32 or torch.float64, of tensors.
        lanes: how many numbers a vector has.
        parameters: the sizes of each parameter that the kernels read, by name.
        states: their keys, in the cell's order.
        recorded: names of the values that are recorded, in order.
        forward: the loop for inference.
        library: the loaded library.
        functions: its entries, by name; each takes the address of a struct: `arguments` of headers/rows.h, and
            `outer_products` the one of headers/gradients.h.
    """

    forward: ForwardKernel
    library: ctypes.CDLL
    functions: dict[str, ctypes._NamedFuncPointer]

    def __init__(self, fused: Fused, dtype: torch.dtype) -> None:
        if len(fused.core.nodes) > MOST_NODES:
            count = f"{len(fused.core.nodes):,} values per step"
            raise BuildError(f"it has {count}, and a compiler may take very long over more than {MOST_NODES:,}")
        self.fused, self.dtype = fused, dtype
        self.lanes = vector_bytes() // _BYTES[dtype]
        # Read from the graph once: every network that binds these kernels asks for them.
        self.parameters = fused.core.parameters
        self.states = state_keys(fused.core.states)
        self.recorded = tuple(key.name for key in fused.core.results if key.kind == "record")

    def _build(self, text: str, names: list[str]) -> None:
        """Compile and load the text, and find some functions in it."""
        self.library = build(text, ascii_name(self.fused.core.name)[:60], names)
        self.functions = {name: self.library[name] for name in names}
        for function in self.functions.values():
            function.restype = None
            function.argtypes = (ctypes.c_void_p,)


class Kernels(ForwardKernels):
    """A cell's loops in C, for one dtype.

    Attributes:
        bf16: products multiply numbers rounded to bfloat16, and add them up in float32; made for torch.bfloat16.
        loops: the generated text.
        forward_and_save: the loop for inference, which also saves for backward what the reverse loop reads.
        reverse: the loop of the backward pass.
    """

    def __init__(self, fused: Fused, dtype: torch.dtype) -> None:
        self.bf16 = dtype == torch.bfloat16
        super().__init__(fused, torch.float32 if self.bf16 else dtype)
        # Of 32 registers with AVX-512, and of 16 without, as many may hold sums; weights and operands need the rest.
        registers = 24 if vector_bytes() == 64 else 12
        self.loops = Loops(fused, registers, Factors.PAIRS if self.bf16 else Factors.FULL)
        self.forward = self.loops.forward
        self.forward_and_save = self.loops.forward_and_save
        self.reverse = self.loops.reverse
        self._build(self.text(), [*(kernel.name for kernel in self.loops.all()), "outer_products"])

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loops."""
        double = int(self.dtype == torch.float64)
        words = f"#define REAL_IS_DOUBLE {double}\n#define LANES {self.lanes}\n" + "#define BF16 1\n" * self.bf16
        return f"{words}{headers()}{self.loops.text()}"

    def saved_width(self, sizes: Mapping[str, int]) -> int:
        """Return how many numbers `forward_and_save` saves for every step of a row."""
        kernel = self.forward_and_save
        names = [kernel.result_sizes[key] for key in kernel.saved]
        return sum(sizes[name] if name else 1 for name in names)
