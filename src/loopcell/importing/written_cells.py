"""Cells written for what a file says: RNN, LSTM and GRU with other activations, a clip, or other gates."""

from __future__ import annotations

from collections.abc import Callable

from loopcell import cells
from loopcell.equations import Cell, Value, cell, maximum, minimum
from loopcell.importing.activations import Activation

_BY_EQUATIONS = {known.fingerprint: known for known in cells.CELLS.values()} | {
    # The LSTM below has its peepholes taken out, which leaves the output gate at another place of the graph.
    cells.without("lstm_peephole", "p").fingerprint: cells.get("lstm")
}


def rnn_cell(f: Activation, *, clip: float | None = None) -> Cell:
    """Return h' = f(W x + U h + b).

    Args:
        f: the activation.
        clip: what f is given lies within +-clip; None for no bound.
    """
    act = _clipped(f, clip)

    @cell(name="rnn_imported")
    def imported(x, h, *, W, U, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a cell
        """Vanilla RNN with the activation of an imported file."""
        h = act(W.h @ x + U.h @ h + b.h)
        return h  # noqa: RET504 - the name is part of the cell

    return known_or_new(imported)


def lstm_cell(
    f: Activation,
    g: Activation,
    h: Activation,
    *,
    clip: float | None = None,
    peepholes: bool = False,
    coupled: bool = False,
) -> Cell:
    """Return an LSTM.

    Args:
        f: the activation of the gates.
        g: of the candidate.
        h: of the cell state on its way out.
        clip: what f and g are given lies within +-clip; None for no bound. The cell state has none on its way to h: so
            computes ONNX Runtime, and ONNX's text can be read either way.
        peepholes: the gates see the cell state, the output gate the new one.
        coupled: what enters is forgotten, f = 1 - i.
    """
    gate, candidate, out = _clipped(f, clip), _clipped(g, clip), h.equation

    @cell(name="lstm_imported")
    def imported(x, h, c, *, W, U, b, p):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a cell
        """LSTM with the activations of an imported file."""
        i = gate(W.i @ x + U.i @ h + p.i * c + b.i)
        f = 1 - i if coupled else gate(W.f @ x + U.f @ h + p.f * c + b.f)
        g = candidate(W.g @ x + U.g @ h + b.g)
        c = f * c + i * g
        o = gate(W.o @ x + U.o @ h + p.o * c + b.o)
        h = o * out(c)
        return h, c

    return known_or_new(imported if peepholes else cells.without(imported, "p"))


def gru_after_cell(f: Activation, g: Activation, *, clip: float | None = None) -> Cell:
    """Return a GRU that resets after the product, z keeping the old state.

    Args:
        f: of the gates.
        g: of the candidate.
        clip: what activations are given lies within +-clip; None for no bound.
    """
    gate, candidate = _clipped(f, clip), _clipped(g, clip)

    @cell(name="gru_imported")
    def imported(x, h, *, W, U, b, d):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a cell
        """GRU, reset after the product, with the activations of an imported file."""
        r = gate(W.r @ x + U.r @ h + b.r)
        z = gate(W.z @ x + U.z @ h + b.z)
        n = candidate(W.n @ x + b.n + r * (U.n @ h + d.n))
        h = (1 - z) * n + z * h
        return h  # noqa: RET504 - the name is part of the cell

    return known_or_new(imported)


def gru_before_cell(f: Activation, g: Activation, *, clip: float | None = None) -> Cell:
    """Return a GRU that resets before the product, z keeping the old state; arguments as `gru_after_cell`."""
    gate, candidate = _clipped(f, clip), _clipped(g, clip)

    @cell(name="gru_before_imported")
    def imported(x, h, *, W, U, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - a cell
        """GRU, reset before the product, with the activations of an imported file."""
        r = gate(W.r @ x + U.r @ h + b.r)
        z = gate(W.z @ x + U.z @ h + b.z)
        n = candidate(W.n @ x + U.n @ (r * h) + b.n)
        h = (1 - z) * n + z * h
        return h  # noqa: RET504 - the name is part of the cell

    return known_or_new(imported)


def known_or_new(written: Cell) -> Cell:
    """Return the library's cell of the same equations, under the name that the field knows; else the cell itself."""
    return _BY_EQUATIONS.get(written.fingerprint, written)


def _clipped(activation: Activation, clip: float | None) -> Callable[[Value], Value]:
    if clip is None:
        return activation.equation
    return lambda value: activation.equation(maximum(minimum(value, clip), -clip))
