"""A cell that no paper has, so that nothing can have been tuned for it."""

from __future__ import annotations

from loopcell import Cell, cell, relu, sigmoid, tanh


def invent() -> Cell:
    """Read the equations anew: a gate with a peephole, and an output whose contrast is learned."""

    @cell
    def invented(x, h, c, *, W, U, b, p):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - equations
        """A leaky memory whose output saturates sooner or later, as the contrast s says."""
        a = tanh(W.a @ x + U.a @ h + b.a)  # candidate
        k = sigmoid(W.k @ x + U.k @ h + p.k * c + b.k)  # what is kept
        s = relu(W.s @ x + U.s @ h + b.s)  # contrast
        c = k * c + (1 - k) * a
        h = c * (1 + s) / (1 + s * abs(c))
        return h, c

    return invented
