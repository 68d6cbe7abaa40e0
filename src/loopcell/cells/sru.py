"""Simple recurrent unit."""

from loopcell.equations import cell, sigmoid


@cell
def sru(x, c, *, W, v, b):
    """SRU: every product is of the input alone; a highway leads from the input to the output.

    Lei, Zhang, Wang, Dai, Artzi: Simple Recurrent Units for Highly Parallelizable Recurrence, 2018
    (arXiv 1709.02755), eq. 1-4, with a product W.h @ x on the highway so that input and state may differ in
    length. The output h is not a state: it stands before the new state in what is returned.
    """
    f = sigmoid(W.f @ x + v.f * c + b.f)
    r = sigmoid(W.r @ x + v.r * c + b.r)  # reads the previous cell state, as eq. 3 does
    c = f * c + (1 - f) * (W.c @ x)
    h = r * c + (1 - r) * (W.h @ x)
    return h, c
