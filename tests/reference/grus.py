"""Steps of one gated hidden state, written out from the papers; see `elman.py` for the conventions."""

import torch
from torch.nn.functional import layer_norm

from tests.reference.lstms import gate


def gru(x, states, p):
    (h,) = states
    r = torch.sigmoid(gate("r", x, h, p))
    z = torch.sigmoid(gate("z", x, h, p))
    n = torch.tanh(x @ p["W.n"].T + p["b.n"] + r * (h @ p["U.n"].T + p["d.n"]))
    h = n + z * (h - n)  # z keeps
    return h, (h,)


def gru_keeps_before(x, states, p):
    (h,) = states
    r = torch.sigmoid(gate("r", x, h, p))
    z = torch.sigmoid(gate("z", x, h, p))
    n = torch.tanh(gate("n", x, r * h, p))
    h = n + z * (h - n)
    return h, (h,)


def gru_lets_before(x, states, p):
    (h,) = states
    r = torch.sigmoid(gate("r", x, h, p))
    z = torch.sigmoid(gate("z", x, h, p))
    n = torch.tanh(gate("n", x, r * h, p))
    h = h + z * (n - h)  # z lets in
    return h, (h,)


def gru_lets_after(x, states, p):
    (h,) = states
    r = torch.sigmoid(gate("r", x, h, p))
    z = torch.sigmoid(gate("z", x, h, p))
    n = torch.tanh(x @ p["W.n"].T + p["b.n"] + r * (h @ p["U.n"].T + p["d.n"]))
    h = h + z * (n - h)
    return h, (h,)


def gru_layer_norm(x, states, p):
    (h,) = states
    H = h.shape[-1:]

    def from_input(name):
        return layer_norm(x @ p[f"W.{name}"].T, H, p[f"gain.{name}x"])

    def from_past(name):
        return layer_norm(h @ p[f"U.{name}"].T, H, p[f"gain.{name}h"])

    r = torch.sigmoid(from_input("r") + from_past("r") + p["shift.r"])
    z = torch.sigmoid(from_input("z") + from_past("z") + p["shift.z"])
    n = torch.tanh(from_input("n") + r * from_past("n") + p["shift.n"])
    h = n + z * (h - n)
    return h, (h,)


def mgu(x, states, p):
    (h,) = states
    f = torch.sigmoid(gate("f", x, h, p))
    candidate = torch.tanh(gate("g", x, f * h, p))
    h = h + f * (candidate - h)
    return h, (h,)


def light_gru(x, states, p):
    (h,) = states
    z = torch.sigmoid(gate("z", x, h, p))
    candidate = torch.clamp(gate("n", x, h, p), min=0)
    h = candidate + z * (h - candidate)
    return h, (h,)


def min_gru(x, states, p):
    (h,) = states
    z = torch.sigmoid(x @ p["W.z"].T + p["b.z"])
    candidate = x @ p["W.n"].T + p["b.n"]
    h = h + z * (candidate - h)
    return h, (h,)


def ugrnn(x, states, p):
    (h,) = states
    g = torch.sigmoid(gate("g", x, h, p))
    candidate = torch.tanh(gate("c", x, h, p))
    h = candidate + g * (h - candidate)
    return h, (h,)
