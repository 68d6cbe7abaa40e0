"""The CPU back end: a cell's loops as generated C, compiled once, forward and backward through time.

`codegen` writes the C of a cell, `toolchain` compiles it, `launch` calls it on tensors.
"""

from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.launch.arguments import ForwardSignature, KernelSignature, Launch
from loopcell.backends.c.launch.backward import BackwardPass
from loopcell.backends.c.launch.choice import ProductChoice, in_bfloat16, in_parts
from loopcell.backends.c.launch.chunks import LONGEST, ChunkLayer, FusedChunks
from loopcell.backends.c.launch.forward import ForwardPass, SavedForBackward
from loopcell.backends.c.launch.library import Kernels, Tiles
from loopcell.backends.c.launch.narrow import NarrowKernels
from loopcell.backends.c.launch.step import FusedSteps, StepLayer
from loopcell.backends.c.toolchain.target import compiler

__all__ = [
    "LONGEST",
    "BackwardPass",
    "ProductChoice",
    "ChunkLayer",
    "Factors",
    "ForwardPass",
    "ForwardSignature",
    "FusedChunks",
    "FusedSteps",
    "KernelSignature",
    "Kernels",
    "Launch",
    "NarrowKernels",
    "SavedForBackward",
    "StepLayer",
    "Tiles",
    "compiler",
    "in_bfloat16",
    "in_parts",
]
