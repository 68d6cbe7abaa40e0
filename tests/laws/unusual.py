"""Cells that nobody would train: each is a shape of graph that a pass could get wrong."""

# ruff: noqa: RET504, F821 - a cell names the state that it returns, and `h: "rank"` names a size

from loopcell import (
    cell,
    cells,
    exp,
    log,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    sized,
    softplus,
    sqrt,
    tanh,
    total,
    where,
)

gru = cells.get("gru")


@cell
def every_op(x, h, c, *, W, U, b):
    """Every op that has a derivative, all of them between the past and the future."""
    a = tanh(W.a @ x + U.a @ h + b.a)
    s = sigmoid(W.s @ x - U.s @ h) / (2 + softplus(U.p @ c))
    e = log(1 + exp(-a) + abs(h)) * sqrt(mean(c * c) + 0.3)
    low = U.out @ sized(relu(U.low @ h), "rank")
    m = minimum(e, maximum(s, -c)) - where(a > s, a * s, low)
    c = tanh(m + 0.1 * total(h))
    h = -c + 0.3 * e
    return h, c


@cell
def ignores_its_input(x, h, *, U):
    h = tanh(U.h @ h + 0.3)
    return h


@cell
def ignores_the_past(x, h, *, W):
    h = tanh(W.h @ x)
    return h


@cell
def without_parameters(x, h):
    h = 0.5 * h + 0.25 * sized(x, "hidden")
    return h


@cell
def swaps_its_states(x, h, c, *, W):
    return c, tanh(W.h @ x) + 0.5 * h


@cell
def keeps_a_state_as_it_is(x, h, c, *, W):
    h = tanh(W.h @ x + h) * c
    return h, c


@cell
def remembers_the_last_input(x, h, c, *, W, U):
    h = tanh(U.h @ h + c)
    c = W.c @ x
    return h, c


@cell
def a_state_of_parameters_alone(x, h, c, *, W, b):
    h = tanh(W.h @ x + c * h)
    c = tanh(b.c)
    return h, c


@cell
def one_matrix_twice_in_a_step(x, h, *, W, U):
    r = sigmoid(W.r @ x + U.h @ h)
    h = tanh(U.h @ (r * h)) + h * h**2 / 4
    return h


@cell
def one_parameter_outside_and_inside_the_loop(x, h, *, U, b):
    h = tanh(U.h @ sized(x, "hidden") + b.h) + tanh(U.h @ h) * b.h
    return h


@cell
def chosen_numbers(x, h, *, W, U):
    rate = where(U.h @ h > 0.1, 0.1, 0.7)
    h = rate * h + (1 - rate) * tanh(W.h @ x)
    return maximum(h, -0.3), minimum(0.9, h)


@cell
def scalars_of_the_past(x, h, c, *, W, p):
    scale = mean(h) * total(c) / (1 + total(h * h))
    h = tanh(W.h @ x) * scale + p.h
    c = c / (2 + sqrt(1 + mean(c * c))) + p.c * mean(h)
    return h, c


@cell
def a_gru_inside(x, h, c, *, W, U, b, d):
    _, inner = gru(x, h, W=W, U=U, b=b, d=d)
    c = 0.5 * c + tanh(U.c @ inner)
    return inner + c, inner, c


@cell
def a_bottleneck(x, h: "rank", c, *, W, U):
    c = tanh(W.c @ x + U.c @ h + 0.5 * c)
    h = U.h @ c
    return h, c


@cell
def several_inputs(x, rank, gate: "hidden", s: 1, /, h, before: "input", *, W, U, V, b):
    """An input of every kind: of a size of its own, as long as a state, one number; in products, sums and results."""
    a = tanh(W.a @ (s * x) + V.a @ rank + U.a @ (gate * h) + U.b @ before + b.a)
    h = a * gate + s * h * mean(rank * rank)
    before = 0.5 * s * x - 0.3 * before
    return s * h + gate, h, before


@cell
def numbers_alone(x, s, t, /, h, *, W, b):
    """Two numbers a step, of which one is all that a term is made of."""
    h = tanh(W.h @ x) * where(s > t, s, t * h) + b.h * log(1 + s) * h + exp(-s) * h
    return h


UNUSUAL = {
    cell.name: cell
    for cell in (
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
