"""Light gated recurrent unit."""

from loopcell.equations import cell, relu, sigmoid


@cell
def light_gru(x, h, *, W, U, b):
    """Li-GRU: one update gate, relu candidate, no reset gate; made for speech recognition.

    Ravanelli, Brakel, Omologo, Bengio: Light Gated Recurrent Units for Speech Recognition, 2018
    (arXiv 1803.10225), eq. 4; its batch normalisation of W x is left to the layer before.
    """
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = relu(W.n @ x + U.n @ h + b.n)
    h = z * h + (1 - z) * n
    return h
