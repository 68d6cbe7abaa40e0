"""LSTM whose hidden state is a projection, shorter than the cell state."""

from loopcell.equations import cell, sigmoid, tanh


@cell
def lstm_projected(x, h: "proj", c, *, W, U, b, P):
    """LSTM with projection (LSTMP): products of the past cost proj x hidden instead of hidden x hidden.

    Sak, Senior, Beaufays: Long Short-Term Memory Recurrent Neural Network Architectures for Large Scale
    Acoustic Modeling, 2014 (arXiv 1402.1128). Equals torch.nn.LSTM(proj_size=...). Needs sizes={"proj": ...}.
    """
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * g
    h = P.h @ (o * tanh(c))
    return h, c
