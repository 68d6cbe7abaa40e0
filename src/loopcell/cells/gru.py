"""Gated recurrent units in the field's four conventions.

Two things differ between texts: whether the update gate z keeps the old state or lets the new one in, and
whether the reset gate r acts before the recurrent product (on h) or after it (on the product).
"""

from loopcell.equations import cell, sigmoid, tanh


@cell
def gru(x, h, *, W, U, b, d):
    """GRU as PyTorch and cuDNN have it: z keeps the old state, r acts after the product.

    Cho et al.: Learning Phrase Representations using RNN Encoder-Decoder, 2014 (arXiv 1406.1078), in the
    "version 1" form with the reset after the product. Equals torch.nn.GRU; d.n is its inner bias.
    """
    r = sigmoid(W.r @ x + U.r @ h + b.r)  # reset gate
    z = sigmoid(W.z @ x + U.z @ h + b.z)  # update gate
    n = tanh(W.n @ x + b.n + r * (U.n @ h + d.n))  # candidate
    h = (1 - z) * n + z * h
    return h


@cell
def gru_keeps_before(x, h, *, W, U, b):
    """GRU of the first paper: z keeps the old state, r acts before the product.

    Cho et al.: Learning Phrase Representations using RNN Encoder-Decoder, 2014 (arXiv 1406.1078), eq. 5-8.
    """
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    h = (1 - z) * n + z * h
    return h


@cell
def gru_lets_before(x, h, *, W, U, b):
    """GRU where z lets the new state in and r acts before the product.

    Chung, Gulcehre, Cho, Bengio: Empirical Evaluation of Gated Recurrent Neural Networks, 2014
    (arXiv 1412.3555), eq. 5-8.
    """
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    h = (1 - z) * h + z * n
    return h


@cell
def gru_lets_after(x, h, *, W, U, b, d):
    """GRU where z lets the new state in and r acts after the product.

    The convention of Chung et al., 2014 (arXiv 1412.3555) with the reset moved behind the product, as many
    textbooks print it.
    """
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + b.n + r * (U.n @ h + d.n))
    h = (1 - z) * h + z * n
    return h
