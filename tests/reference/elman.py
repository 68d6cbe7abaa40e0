"""Steps of one hidden state without a gate, written out from the papers.

As in every file of this folder: x is [B, I], each state [B, H], p the parameters by name; the result is what
leaves the layer and the new states. Plain torch, nothing of loopcell, and no thought for speed.
"""

import torch


def rnn(x, states, p):
    (h,) = states
    h = torch.tanh(x @ p["W.h"].T + h @ p["U.h"].T + p["b.h"])
    return h, (h,)


def rnn_relu(x, states, p):
    (h,) = states
    h = torch.clamp(x @ p["W.h"].T + h @ p["U.h"].T + p["b.h"], min=0)
    return h, (h,)


def indrnn(x, states, p):
    (h,) = states
    recurrent = torch.diag(p["u.h"])  # eq. 2: a recurrent matrix that is diagonal
    h = torch.clamp(x @ p["W.h"].T + h @ recurrent.T + p["b.h"], min=0)
    return h, (h,)
