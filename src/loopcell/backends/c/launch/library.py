"""Library: a cell's loops as one compiled library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import torch

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.codegen.loops import Loops, loops_text
from loopcell.backends.c.codegen.names import HEADERS, headers
from loopcell.backends.c.toolchain.build import BuildError, build, vector_bytes
from loopcell.equations.keys import Key, state_keys
from loopcell.equations.names import ascii_name
from loopcell.passes.fuse import Fused

TILE_LANES = 16
"""Numbers of float32 in a row of a tile."""
MOST_NODES = 600
"""Of a cell: the largest of the library has 150. A model file may have thousands, and compilers take minutes then."""
LONG_LOOPS = 2_000
"""Lines of C: the loops of an LSTM have 1,000, with layer normalisation 2,800; headers, read for each part, 700."""
_BYTES = {torch.float32: 4, torch.float64: 8}


class Tiles(Enum):
    """The header with the tile instructions: those of the CPU, or a model of them."""

    AMX = "tiles_amx"
    MODEL = "tiles_model"


def beginning(dtype: torch.dtype, lanes: int, factors: Factors = Factors.FULL, tiles: Tiles = Tiles.AMX) -> str:
    """Return what a C file of kernels begins with: definitions, and the headers.

    Args:
        dtype: of tensors.
        lanes: how many numbers a vector has.
        factors: what products multiply.
        tiles: what multiplies tiles, if anything does.
    """
    words = {
        "REAL_IS_DOUBLE": int(dtype == torch.float64),
        "LANES": lanes,
        "BF16": int(factors.in_bfloat16 or factors.on_tiles),
        "TILES": int(factors.on_tiles),
        "SPLIT": int(factors is Factors.SPLIT),
    }
    names = [*HEADERS]
    if factors.on_tiles:
        after = names.index("products") + 1
        names[after:after] = [tiles.value, "tiles"]
        names.append("large_products")
    defines = "".join(f"#define {name} {value}\n" for name, value in words.items())
    return f"{defines}{headers(tuple(names))}"


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
        functions: its entries, by name; each takes the address of a struct: `arguments` of headers/rows.h,
            `outer_products` the one of headers/gradients.h, `large_products` the one of headers/large_products.h.
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

    def _build(self, text: str, names: list[str], parts: Callable[[], Sequence[str]] = tuple) -> None:
        """Compile and load the text, whole or in parts, and find some functions in it."""
        self.library = build(text, ascii_name(self.fused.core.name)[:60], names, parts)
        self.functions = {name: self.library[name] for name in names}
        for function in self.functions.values():
            function.restype = None
            function.argtypes = (ctypes.c_void_p,)


class Kernels(ForwardKernels):
    """A cell's loops in C, for one dtype and one form of its products.

    Args:
        fused: what is run.
        dtype: torch.float32 or torch.float64, of tensors.
        factors: what products multiply; anything but FULL is for float32.
        tiles: what multiplies tiles, the instructions or the model of them.

    Attributes:
        factors: what products multiply.
        bf16: products multiply numbers rounded to bfloat16, and add them up in float32.
        loops: the generated text.
        forward_and_save: the loop for inference, which also saves for backward what the reverse loop reads.
        reverse: the loop of the backward pass.
    """

    def __init__(
        self, fused: Fused, dtype: torch.dtype, factors: Factors = Factors.FULL, tiles: Tiles = Tiles.AMX
    ) -> None:
        super().__init__(fused, dtype)
        self.factors, self._tiles = factors, tiles
        self.bf16 = factors.in_bfloat16
        if factors.on_tiles:  # a row of a tile is one vector, also where the machine's own are shorter
            self.lanes = TILE_LANES
        # Of 32 registers with AVX-512, and of 16 without, as many may hold sums; weights and operands need the rest.
        registers = 24 if vector_bytes() == 64 else 12
        self.loops = Loops(fused, registers, factors)
        self.forward = self.loops.forward
        self.forward_and_save = self.loops.forward_and_save
        self.reverse = self.loops.reverse
        self._registers = registers
        names = [*(kernel.name for kernel in self.loops.all()), "outer_products"]
        self._build(self.text(), [*names, *(["large_products"] if factors.on_tiles else [])], self._parts)

    def text(self) -> str:
        """Return the whole C file: definitions, the headers, and the loops."""
        return f"{self._beginning()}{self.loops.text()}"

    def _beginning(self) -> str:
        return beginning(self.dtype, self.lanes, self.factors, self._tiles)

    def _parts(self) -> list[str]:
        """Return a text for each loop, where these are so long that to compile them side by side takes less time."""
        if self.factors.on_tiles or self.loops.text().count("\n") < LONG_LOOPS or (os.cpu_count() or 1) < 2:
            return []
        return [self._beginning() + loops_text(self.fused, [loop], self._registers) for loop in self.loops.all()]

    def saved_width(self, sizes: Mapping[str, int]) -> int:
        """Return how many numbers `forward_and_save` saves for every step of a row."""
        kernel = self.forward_and_save

        def width(key: Key) -> int:
            name = kernel.result_sizes[key]
            return sizes[name] if name else 1

        return kernel.saved_columns(width)[1]
