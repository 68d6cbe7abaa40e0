"""Long short-term memory and its classic variants."""

from loopcell.equations import cell, sigmoid, tanh


@cell
def lstm(x, h, c, *, W, U, b):
    """LSTM: input, forget and output gate around a cell state.

    Hochreiter, Schmidhuber: Long Short-Term Memory, 1997; with the forget gate of Gers, Schmidhuber,
    Cummins: Learning to Forget, 2000. Equals torch.nn.LSTM.
    """
    i = sigmoid(W.i @ x + U.i @ h + b.i)  # input gate
    f = sigmoid(W.f @ x + U.f @ h + b.f)  # forget gate
    g = tanh(W.g @ x + U.g @ h + b.g)  # candidate
    o = sigmoid(W.o @ x + U.o @ h + b.o)  # output gate
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


@cell
def lstm_peephole(x, h, c, *, W, U, b, p):
    """LSTM with peepholes: the gates see the cell state, each unit its own.

    Gers, Schraudolph, Schmidhuber: Learning Precise Timing with LSTM Recurrent Networks, 2002.
    """
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)  # the output gate sees the new cell state
    h = o * tanh(c)
    return h, c


@cell
def lstm_coupled(x, h, c, *, W, U, b):
    """LSTM with coupled gates (CIFG): what is forgotten makes room for what enters.

    Greff, Srivastava, Koutník, Steunebrink, Schmidhuber: LSTM: A Search Space Odyssey, 2017 (arXiv 1503.04069).
    """
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + (1 - f) * g
    h = o * tanh(c)
    return h, c
