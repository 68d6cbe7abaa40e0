"""Shapes of values: tuples of size names, such as () for a scalar, ("hidden",), ("hidden", "input")."""

from __future__ import annotations

from collections.abc import Sequence

from loopcell.equations.ops import OPS
from loopcell.errors import ShapeError

Shape = tuple[str, ...]


def shape_text(shape: Shape) -> str:
    """Write a shape the way that messages show it: `[hidden, input]`, or `a scalar`."""
    return f"[{', '.join(shape)}]" if shape else "a scalar"


def shape_of(op: str, shapes: Sequence[Shape], given: Shape = ()) -> Shape:
    """Return the shape that `op` gives for operands of known `shapes`.

    Args:
        op: a name of the op table, not a leaf.
        shapes: the operands' shapes.
        given: the result's shape, for `expand` and `sized`, whose operands do not say it.

    Raises:
        ShapeError: the operands do not fit each other. Passes never see this: the verifier has run before.
    """
    rule = OPS[op].rule
    if rule == "elementwise":
        return _elementwise(op, shapes)
    if rule == "matmul":
        matrix, vector = shapes
        _require(len(matrix) == 2 and matrix[1:] == vector, op, shapes)
        return matrix[:1]
    if rule == "matmul_t":
        return _transposed_products(op, shapes)
    if rule == "sum":
        _require(len(shapes[0]) == 1, op, shapes)
        return ()
    return given


def _elementwise(op: str, shapes: Sequence[Shape]) -> Shape:
    vectors = {shape for shape in shapes if shape}
    _require(len(vectors) <= 1, op, shapes)
    return vectors.pop() if vectors else ()


def _transposed_products(op: str, shapes: Sequence[Shape]) -> Shape:
    matrices, vectors = shapes[0::2], shapes[1::2]
    for matrix, vector in zip(matrices, vectors, strict=True):
        _require(len(matrix) == 2 and matrix[:1] == vector and matrix[1] == matrices[0][1], op, shapes)
    return matrices[0][1:]


def _require(holds: bool, op: str, shapes: Sequence[Shape]) -> None:
    if not holds:
        raise ShapeError(f"{op} of {', '.join(map(shape_text, shapes))} has no meaning")
