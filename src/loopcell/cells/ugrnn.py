"""The update-gate RNN."""

from loopcell.equations import cell, sigmoid, tanh


@cell
def ugrnn(x, h, *, W, U, b):
    """UGRNN: one gate chooses, unit by unit, between keeping the state and a new one.

    Collins, Sohl-Dickstein, Sussillo: Capacity and Trainability in Recurrent Neural Networks, 2016 (arXiv 1611.09913).
    """
    g = sigmoid(W.g @ x + U.g @ h + b.g)
    c = tanh(W.c @ x + U.c @ h + b.c)
    h = g * h + (1 - g) * c
    return h
