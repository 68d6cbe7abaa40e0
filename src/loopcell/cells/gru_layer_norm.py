"""GRU with layer normalisation inside the step."""

from loopcell.equations import cell, layer_norm, sigmoid, tanh


@cell(initial={"gain": "ones", "shift": "zeros"})
def gru_layer_norm(x, h, *, W, U, gain, shift):
    """Layer-normalised GRU: each product is normalised, the reset acts after the product.

    Ba, Kiros, Hinton: Layer Normalization, 2016 (arXiv 1607.06450), eq. 23-26, gate by gate.
    """
    r = sigmoid(layer_norm(W.r @ x, gain.rx) + layer_norm(U.r @ h, gain.rh) + shift.r)
    z = sigmoid(layer_norm(W.z @ x, gain.zx) + layer_norm(U.z @ h, gain.zh) + shift.z)
    n = tanh(layer_norm(W.n @ x, gain.nx) + r * layer_norm(U.n @ h, gain.nh) + shift.n)
    h = (1 - z) * n + z * h
    return h
