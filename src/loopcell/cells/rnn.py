"""The vanilla (Elman) recurrent network."""

from loopcell.equations import cell, relu, tanh


@cell
def rnn(x, h, *, W, U, b):
    """Vanilla RNN with tanh: one hidden state, one product of the past.

    Elman: Finding Structure in Time, 1990. Equals torch.nn.RNN(nonlinearity="tanh").
    """
    h = tanh(W.h @ x + U.h @ h + b.h)
    return h


@cell
def rnn_relu(x, h, *, W, U, b):
    """Vanilla RNN with relu.

    Le, Jaitly, Hinton: A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015
    (arXiv 1504.00941). Equals torch.nn.RNN(nonlinearity="relu").
    """
    h = relu(W.h @ x + U.h @ h + b.h)
    return h
