"""Steps of cells for irregular times and missing values, from the papers; see `elman.py` for the conventions.

Their inputs come side by side, [B, D + ...]: x, and behind it what else a step reads. D is read off the weights.
"""

import math

import torch

from tests.reference.lstms import gate, lstm


def split(inputs, p, name):
    """x [B, D] and the rest, by a matrix that x is multiplied with."""
    D = p[name].shape[1]
    return inputs[:, :D], inputs[:, D:]


def decay(rate):
    return torch.exp(-torch.clamp(rate, min=0))


def gru_decay(inputs, states, p):
    (h,) = states
    x, dt = split(inputs, p, "W.r")
    h = h * decay(p["G.h"] * dt + p["b.h"])
    r = torch.sigmoid(gate("r", x, h, p))
    z = torch.sigmoid(gate("z", x, h, p))
    n = torch.tanh(x @ p["W.n"].T + p["b.n"] + r * (h @ p["U.n"].T + p["d.n"]))
    h = n + z * (h - n)
    return h, (h,)


def gru_d(inputs, states, p):
    """Che et al., 2018: delta decays the input by a diagonal matrix, and the hidden state by a full one."""
    h, last = states
    x, rest = split(inputs, p, "W.r")
    m, delta = rest.chunk(2, -1)
    m_observed = (m > 0).to(x)
    x_hat = m_observed * x + (1 - m_observed) * decay(delta @ torch.diag(p["G.x"]) + p["b.x"]) * last
    h = decay(delta @ p["G.h"].T + p["b.h"]) * h
    z = torch.sigmoid(gate("z", x_hat, h, p) + m @ p["V.z"].T)
    r = torch.sigmoid(gate("r", x_hat, h, p) + m @ p["V.r"].T)
    n = torch.tanh(gate("n", x_hat, r * h, p) + m @ p["V.n"].T)
    h = (1 - z) * h + z * n
    return h, (h, m_observed * x + (1 - m_observed) * last)


def lstm_time_aware(inputs, states, p):
    """Baytas et al., 2017: the short-term memory is discounted, the long-term memory is kept, then an LSTM's step."""
    h, c = states
    x, dt = split(inputs, p, "W.i")
    short = torch.tanh(c @ p["U.d"].T + p["b.d"])
    long = c - short
    discounted = short * (1 / torch.log(math.e + dt))
    return lstm(x, (h, long + discounted), p)
