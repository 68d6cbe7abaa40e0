"""CForm: the ways in which a model can be written in C."""

from __future__ import annotations

from dataclasses import dataclass

STACK_LIMIT = 262_144


@dataclass(frozen=True)
class CForm:
    """The form of an export to C.

    Attributes:
        simd: "plain" for any compiler of C99, or "vectors" for GCC and Clang, with as wide vectors as the machine has.
        weights: the numbers of matrices and tables: "float32", "bfloat16", or "int8" with a scale for each row;
            vectors, states and sums are float32 in all. In fixed point "int16" or "int8".
        store: "arrays" for weights in the code, or "blob" for a file NAME.weights that NAME_load takes and checks.
        layout: "make" for all files in one folder, or "arduino" for a library of Arduino and PlatformIO.
        arithmetic: "float", or "fixed" for processors without an FPU: whole numbers of 16 bits for all that flows and
            is kept, whose points follow from data of yours.
        stack_limit: the most bytes of arrays that a step may keep on the stack.
    """

    simd: str = "plain"
    weights: str = "float32"
    store: str = "arrays"
    layout: str = "make"
    arithmetic: str = "float"
    stack_limit: int = STACK_LIMIT


AS_IT_COMES = CForm()
