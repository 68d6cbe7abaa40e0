"""Cells of the library with one equation in another form, on the same parameters; not in the registry."""

from loopcell.equations import cell, sigmoid, tanh


@cell
def gru_reset_before(x, h, *, W, U, b, d):
    """GRU with the reset before the product, on the parameters of one with the reset after it."""
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + b.n + U.n @ (r * h) + d.n)
    h = (1 - z) * n + z * h
    return h


@cell
def rnn_linear(x, h, *, W, U, b):
    """Vanilla RNN without a bound: where the spectral radius alone says what becomes of a gradient."""
    h = W.h @ x + U.h @ h + b.h
    return h
