"""JAX: `lax.scan` under jit. The input's product is taken out of the scan, and matrices lie as XLA multiplies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from jax import lax, numpy as jnp
from torch import Tensor

from benchmarks.comparison import Entry, Observed
from benchmarks.task import Task, named, named_gradients

NAME = "JAX"
Arrays = dict[str, jax.Array]
State = tuple[jax.Array, ...]
Step = Callable[[State, jax.Array, Arrays, str], State]


def rnn(state: State, projected: jax.Array, weights: Arrays, place: str) -> State:
    """Compute torch.nn.RNN's equations; `projected` is W x + b."""
    (h,) = state
    return (jnp.tanh(projected + h @ weights[f"weight_hh_{place}"]),)


def lstm(state: State, projected: jax.Array, weights: Arrays, place: str) -> State:
    """Compute torch.nn.LSTM's equations."""
    h, c = state
    i, f, g, o = jnp.split(projected + h @ weights[f"weight_hh_{place}"], 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(state: State, projected: jax.Array, weights: Arrays, place: str) -> State:
    """Compute torch.nn.GRU's equations; the candidate's inner bias stays in the loop."""
    (h,) = state
    inner = h @ weights[f"weight_hh_{place}"] + weights[f"bias_hh_{place}"]
    (r, z, n), (r_in, z_in, n_in) = jnp.split(inner, 3, -1), jnp.split(projected, 3, -1)
    r, z = jax.nn.sigmoid(r + r_in), jax.nn.sigmoid(z + z_in)
    n = jnp.tanh(n_in + r * n)
    return ((1 - z) * n + z * h,)


STEPS: dict[str, tuple[Step, bool]] = {"rnn": (rnn, True), "lstm": (lstm, True), "gru": (gru, False)}
"""The step, and whether both biases may be added before the loop."""


def scan(task: Task, weights: Arrays, x: jax.Array) -> tuple[jax.Array, State]:
    """Return the network over a sequence: the output [T, B, D * H] and the final states, each [L * D, B, H]."""
    step, merged = STEPS[task.cell]
    finals: list[State] = []
    for layer in range(task.module.num_layers):
        outputs = []
        for reverse in (False, True)[: 1 + task.module.bidirectional]:
            place = f"l{layer}_reverse" if reverse else f"l{layer}"
            projected = x @ weights[f"weight_ih_{place}"] + weights[f"bias_ih_{place}"]
            if merged:
                projected += weights[f"bias_hh_{place}"]

            def body(state: State, one: jax.Array, place: str = place) -> tuple[State, jax.Array]:
                new = step(state, one, weights, place)
                return new, new[0]

            rest = jnp.zeros((x.shape[1], task.module.hidden_size), x.dtype)
            final, y = lax.scan(body, (rest,) * len(task.states), projected, reverse=reverse)
            outputs.append(y)
            finals.append(final)
        x = jnp.concatenate(outputs, -1)
    return x, tuple(jnp.stack(column) for column in zip(*finals, strict=True))


def forward(task: Task, truth: Observed, dtype: str = "float32") -> Entry:
    """Return a forward pass."""
    weights, x = _weights(task, dtype), jnp.asarray(task.x.numpy(), dtype)
    compiled = jax.jit(lambda weights, x: scan(task, weights, x))

    def run() -> Any:
        return jax.block_until_ready(compiled(weights, x))

    def observe() -> Observed:
        y, states = run()
        return named(_tensor(y), tuple(map(_tensor, states)))

    return Entry(NAME, run, observe, truth, dtype=dtype)


def training(task: Task, truth: Observed, dtype: str = "float32") -> Entry:
    """Return a training pass: the gradients of the input and of every weight."""
    weights, x = _weights(task, dtype), jnp.asarray(task.x.numpy(), dtype)
    cotangent = jnp.asarray(task.cotangent.numpy(), dtype)

    def both_ways(weights: Arrays, x: jax.Array, cotangent: jax.Array) -> Any:
        y, pull = jax.vjp(lambda weights, x: scan(task, weights, x)[0], weights, x)
        return y, pull(cotangent)

    compiled = jax.jit(both_ways)

    def run() -> Any:
        return jax.block_until_ready(compiled(weights, x, cotangent))

    def observe() -> Observed:
        y, (gradients, d_x) = run()
        found = {"x": _tensor(d_x), **{name: _oriented(_tensor(value)) for name, value in gradients.items()}}
        names = ["x", *(name for name, _ in task.module.named_parameters())]
        return named_gradients(_tensor(y), names, tuple(found[name] for name in names))

    return Entry(NAME, run, observe, truth, dtype=dtype)


def step(task: Task, truth: Observed) -> Entry:
    """Return one step after the other."""
    weights, xs = _weights(task, "float32"), [jnp.asarray(one.numpy()) for one in task.x]
    one_step, merged = STEPS[task.cell]

    def once(weights: Arrays, state: State, x: jax.Array) -> State:
        projected = x @ weights["weight_ih_l0"] + weights["bias_ih_l0"]
        return one_step(state, projected + weights["bias_hh_l0"] if merged else projected, weights, "l0")

    compiled = jax.jit(once)
    rest = (jnp.zeros((task.sizes.B, task.sizes.H)),) * len(task.states)
    carried = [rest]

    def run() -> None:
        carried[0] = jax.block_until_ready(compiled(weights, carried[0], xs[0]))

    def observe() -> Observed:
        state, outputs = rest, []
        for x in xs:
            state = compiled(weights, state, x)
            outputs.append(_tensor(state[0]))
        return {"the outputs": torch.stack(outputs)}

    return Entry(NAME, run, observe, truth)


def _weights(task: Task, dtype: str) -> Arrays:
    return {name: jnp.asarray(_oriented(value).numpy(), dtype) for name, value in task.module.state_dict().items()}


def _oriented(value: Tensor) -> Tensor:
    """Return a matrix [I, G * H] from torch's [G * H, I], and back; a bias as it is."""
    return value.T.contiguous() if value.dim() == 2 else value


def _tensor(value: jax.Array) -> Tensor:
    return torch.from_numpy(np.array(value.astype(jnp.float32)))
