"""Steps with a cell state, written out from the papers; see `elman.py` for the conventions."""

import torch
from torch.nn.functional import layer_norm


def gate(name, x, h, p):
    """The pre-activation of one gate: W x + U h + b."""
    return x @ p[f"W.{name}"].T + h @ p[f"U.{name}"].T + p[f"b.{name}"]


def lstm(x, states, p):
    h, c = states
    i = torch.sigmoid(gate("i", x, h, p))
    f = torch.sigmoid(gate("f", x, h, p))
    g = torch.tanh(gate("g", x, h, p))
    o = torch.sigmoid(gate("o", x, h, p))
    new_c = f * c + i * g
    new_h = o * torch.tanh(new_c)
    return new_h, (new_h, new_c)


def lstm_peephole(x, states, p):
    h, c = states
    i = torch.sigmoid(gate("i", x, h, p) + c @ torch.diag(p["p.i"]))
    f = torch.sigmoid(gate("f", x, h, p) + c @ torch.diag(p["p.f"]))
    new_c = f * c + i * torch.tanh(gate("g", x, h, p))
    o = torch.sigmoid(gate("o", x, h, p) + new_c @ torch.diag(p["p.o"]))
    new_h = o * torch.tanh(new_c)
    return new_h, (new_h, new_c)


def lstm_coupled(x, states, p):
    h, c = states
    f = torch.sigmoid(gate("f", x, h, p))
    i = 1 - f
    new_c = f * c + i * torch.tanh(gate("g", x, h, p))
    new_h = torch.sigmoid(gate("o", x, h, p)) * torch.tanh(new_c)
    return new_h, (new_h, new_c)


def lstm_projected(x, states, p):
    r, c = states  # the paper calls the projected state r
    i = torch.sigmoid(gate("i", x, r, p))
    f = torch.sigmoid(gate("f", x, r, p))
    new_c = f * c + i * torch.tanh(gate("g", x, r, p))
    m = torch.sigmoid(gate("o", x, r, p)) * torch.tanh(new_c)
    new_r = m @ p["P.h"].T
    return new_r, (new_r, new_c)


def lstm_layer_norm(x, states, p):
    h, c = states
    H = c.shape[-1:]

    def normed(name):
        from_input = layer_norm(x @ p[f"W.{name}"].T, H, p[f"gain.{name}x"])
        from_past = layer_norm(h @ p[f"U.{name}"].T, H, p[f"gain.{name}h"])
        return from_input + from_past + p[f"shift.{name}"]

    new_c = torch.sigmoid(normed("f")) * c + torch.sigmoid(normed("i")) * torch.tanh(normed("g"))
    new_h = torch.sigmoid(normed("o")) * torch.tanh(layer_norm(new_c, H, p["gain.c"], p["shift.c"]))
    return new_h, (new_h, new_c)


def min_lstm(x, states, p):
    (h,) = states
    f = torch.sigmoid(x @ p["W.f"].T + p["b.f"])
    i = torch.sigmoid(x @ p["W.i"].T + p["b.i"])
    candidate = x @ p["W.n"].T + p["b.n"]
    h = (f * h + i * candidate) / (f + i)
    return h, (h,)


def sru(x, states, p):
    (c,) = states
    f = torch.sigmoid(x @ p["W.f"].T + p["v.f"] * c + p["b.f"])
    r = torch.sigmoid(x @ p["W.r"].T + p["v.r"] * c + p["b.r"])
    new_c = f * c + (1 - f) * (x @ p["W.c"].T)
    h = r * new_c + (1 - r) * (x @ p["W.h"].T)
    return h, (new_c,)
