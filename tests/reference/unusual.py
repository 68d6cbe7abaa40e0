"""Steps of the unusual cells in `tests/laws/unusual.py`, written out by hand."""

import torch

from tests.reference.grus import gru


def every_op(x, states, p):
    h, c = states
    a = torch.tanh(x @ p["W.a"].T + h @ p["U.a"].T + p["b.a"])
    s = torch.sigmoid(x @ p["W.s"].T - h @ p["U.s"].T) / (2 + torch.nn.functional.softplus(c @ p["U.p"].T))
    e = torch.log(1 + torch.exp(-a) + h.abs()) * (c.square().mean(-1, keepdim=True) + 0.3).sqrt()
    low = torch.relu(h @ p["U.low"].T) @ p["U.out"].T
    m = torch.minimum(e, torch.maximum(s, -c)) - torch.where(a > s, a * s, low)
    c = torch.tanh(m + 0.1 * h.sum(-1, keepdim=True))
    h = 0.3 * e - c
    return h, (h, c)


def ignores_its_input(x, states, p):
    (h,) = states
    h = torch.tanh(h @ p["U.h"].T + 0.3)
    return h, (h,)


def ignores_the_past(x, states, p):
    h = torch.tanh(x @ p["W.h"].T)
    return h, (h,)


def without_parameters(x, states, p):
    (h,) = states
    h = h / 2 + x / 4
    return h, (h,)


def swaps_its_states(x, states, p):
    h, c = states
    return c, (c, torch.tanh(x @ p["W.h"].T) + h / 2)


def keeps_a_state_as_it_is(x, states, p):
    h, c = states
    h = torch.tanh(x @ p["W.h"].T + h) * c
    return h, (h, c)


def remembers_the_last_input(x, states, p):
    h, c = states
    h = torch.tanh(h @ p["U.h"].T + c)
    return h, (h, x @ p["W.c"].T)


def a_state_of_parameters_alone(x, states, p):
    h, c = states
    h = torch.tanh(x @ p["W.h"].T + c * h)
    return h, (h, torch.tanh(p["b.c"]).expand_as(h))


def one_matrix_twice_in_a_step(x, states, p):
    (h,) = states
    r = torch.sigmoid(x @ p["W.r"].T + h @ p["U.h"].T)
    h = torch.tanh((r * h) @ p["U.h"].T) + h**3 / 4
    return h, (h,)


def one_parameter_outside_and_inside_the_loop(x, states, p):
    (h,) = states
    h = torch.tanh(x @ p["U.h"].T + p["b.h"]) + torch.tanh(h @ p["U.h"].T) * p["b.h"]
    return h, (h,)


def chosen_numbers(x, states, p):
    (h,) = states
    rate = 0.7 - 0.6 * (h @ p["U.h"].T > 0.1).to(h.dtype)
    h = rate * h + (1 - rate) * torch.tanh(x @ p["W.h"].T)
    return h.clamp(min=-0.3), (h.clamp(max=0.9),)


def scalars_of_the_past(x, states, p):
    h, c = states
    mean, total, squares = h.mean(-1, keepdim=True), c.sum(-1, keepdim=True), h.square().sum(-1, keepdim=True)
    h = torch.tanh(x @ p["W.h"].T) * (mean * total / (1 + squares)) + p["p.h"]
    c = c / (2 + (1 + c.square().mean(-1, keepdim=True)).sqrt()) + p["p.c"] * h.mean(-1, keepdim=True)
    return h, (h, c)


def a_gru_inside(x, states, p):
    h, c = states
    inner, _ = gru(x, (h,), p)
    c = c / 2 + torch.tanh(inner @ p["U.c"].T)
    return inner + c, (inner, c)


def a_bottleneck(x, states, p):
    h, c = states
    c = torch.tanh(x @ p["W.c"].T + h @ p["U.c"].T + c / 2)
    h = c @ p["U.h"].T
    return h, (h, c)


def several_inputs(inputs, states, p):
    h, before = states
    x, rank, gate, s = inputs.split([before.shape[-1], p["V.a"].shape[1], h.shape[-1], 1], -1)
    a = s * (x @ p["W.a"].T) + rank @ p["V.a"].T + (gate * h) @ p["U.a"].T + before @ p["U.b"].T + p["b.a"]
    h = torch.tanh(a) * gate + s * h * rank.square().mean(-1, keepdim=True)
    return s * h + gate, (h, s * x / 2 - 0.3 * before)


def numbers_alone(inputs, states, p):
    (h,) = states
    x, (s, t) = inputs[:, :-2], inputs[:, -2:].split(1, -1)
    h = torch.tanh(x @ p["W.h"].T) * torch.where(s > t, s, t * h) + p["b.h"] * (1 + s).log() * h + h / s.exp()
    return h, (h,)


UNUSUAL_STEPS = {
    step.__name__: step
    for step in (
        every_op,
        ignores_its_input,
        ignores_the_past,
        without_parameters,
        swaps_its_states,
        keeps_a_state_as_it_is,
        remembers_the_last_input,
        a_state_of_parameters_alone,
        one_matrix_twice_in_a_step,
        one_parameter_outside_and_inside_the_loop,
        chosen_numbers,
        scalars_of_the_past,
        a_gru_inside,
        a_bottleneck,
        several_inputs,
        numbers_alone,
    )
}
