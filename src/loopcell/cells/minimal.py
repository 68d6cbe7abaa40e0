"""minGRU and minLSTM: gates that look at the input alone."""

from loopcell.equations import cell, sigmoid


@cell
def min_gru(x, h, *, W, b):
    """minGRU: a GRU without the past in its gates, so time could run in parallel.

    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi: Were RNNs All We Needed?, 2024 (arXiv 2410.01201), section 3.1.
    """
    z = sigmoid(W.z @ x + b.z)
    n = W.n @ x + b.n
    h = (1 - z) * h + z * n
    return h


@cell
def min_lstm(x, h, *, W, b):
    """minLSTM: an LSTM without the past in its gates; forget and input gate share one unit.

    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi: Were RNNs All We Needed?, 2024 (arXiv 2410.01201), section 3.2.
    """
    f = sigmoid(W.f @ x + b.f)
    i = sigmoid(W.i @ x + b.i)
    n = W.n @ x + b.n
    h = f / (f + i) * h + i / (f + i) * n
    return h
