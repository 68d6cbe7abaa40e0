"""LSTM with layer normalisation inside the step."""

from loopcell.equations import cell, layer_norm, sigmoid, tanh


@cell(initial={"gain": "ones", "shift": "zeros"})
def lstm_layer_norm(x, h, c, *, W, U, gain, shift):
    """Layer-normalised LSTM: every pre-activation and the cell state's way out are normalised.

    Ba, Kiros, Hinton: Layer Normalization, 2016 (arXiv 1607.06450), eq. 20-22, gate by gate: each gate's
    two products are normalised on their own, and `shift` takes the place of the bias.
    """
    i = sigmoid(layer_norm(W.i @ x, gain.ix) + layer_norm(U.i @ h, gain.ih) + shift.i)
    f = sigmoid(layer_norm(W.f @ x, gain.fx) + layer_norm(U.f @ h, gain.fh) + shift.f)
    g = tanh(layer_norm(W.g @ x, gain.gx) + layer_norm(U.g @ h, gain.gh) + shift.g)
    o = sigmoid(layer_norm(W.o @ x, gain.ox) + layer_norm(U.o @ h, gain.oh) + shift.o)
    c = f * c + i * g
    h = o * tanh(layer_norm(c, gain.c, shift.c))
    return h, c
