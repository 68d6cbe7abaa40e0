"""Independently recurrent network."""

from loopcell.equations import cell, relu


@cell
def indrnn(x, h, *, W, u, b):
    """IndRNN: each unit sees only its own past, so deep stacks and long spans stay trainable.

    Li, Li, Cook, Zhu, Gao: Independently Recurrent Neural Network, 2018 (arXiv 1803.04831), eq. 2.
    """
    h = relu(W.h @ x + u.h * h + b.h)
    return h
