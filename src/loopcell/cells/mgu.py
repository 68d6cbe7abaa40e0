"""Minimal gated unit."""

from loopcell.equations import cell, sigmoid, tanh


@cell
def mgu(x, h, *, W, U, b):
    """MGU: one gate that forgets and resets.

    Zhou, Wu, Zhang, Zhou: Minimal Gated Unit for Recurrent Neural Networks, 2016 (arXiv 1603.09420), eq. 6-8.
    """
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ (f * h) + b.g)
    h = (1 - f) * h + f * g
    return h
