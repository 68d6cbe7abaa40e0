"""What is not finite goes the same way in kernels, on the reference path and in torch: every op, forward and back."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from torch.testing import assert_close

import loopcell
from loopcell import Cell, Recurrent, State, bernoulli, cell, cells
from loopcell.equations import where
from loopcell.equations.ops import OPS

NAN, INF = float("nan"), float("inf")
VALUES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e30, -1e30, 1e-30, 3e38, -30.0, 20.0]
COTANGENTS = [1.0, -2.0, 0.0, 1e30, NAN, INF, -INF]

POINTWISE = [op for op in OPS.values() if op.rule == "elementwise"]

TORCH = {
    "neg": torch.neg,
    "greater": lambda a, b: (a > b).to(a.dtype),
    "where": lambda c, a, b: torch.where(c != 0, a, b),
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
}


def every_op(scalar):
    """A cell whose states are the operands of every pointwise op; each op's result is its first operand's new state.

    With `scalar`, operands are sums over a vector, so that kernels compute one number a row.
    """
    nodes, results = [{"op": "input", "name": "x"}], {}
    for op in POINTWISE:
        places = []
        for at in range(op.arity):
            nodes.append({"op": "state", "name": f"{op.name}_{at}"})
            results[f"state.{op.name}_{at}"] = len(nodes) - 1
            if scalar:
                nodes.append({"op": "sum", "args": [len(nodes) - 1]})
            places.append(len(nodes) - 1)
        nodes.append({"op": op.name, "args": places})
        if scalar:  # a vector again, of one number
            nodes += [{"op": "constant"}, {"op": "state", "name": f"{op.name}_0"}]
            nodes.append({"op": "where", "args": [len(nodes) - 2, len(nodes) - 1, len(nodes) - 3]})
        results[f"state.{op.name}_0"] = len(nodes) - 1
    results = {"output": results["state.neg_0"]} | results
    sizes = {name: "hidden" for name in results if name != "output"}
    graph = {"name": "every_op", "nodes": nodes, "results": results, "sizes": sizes}
    return Cell.from_json(json.dumps({"graph": graph, "doc": "", "initial": {}}))


def combinations(dtype, scalar):
    """Every triple of values with every cotangent, as operands and cotangents [N] (or rows, for scalars)."""
    found = torch.tensor(list(itertools.product(VALUES, VALUES, [0.0, 1.0, NAN], COTANGENTS)), dtype=dtype).T
    found = found + 0.0 if scalar else found  # a sum of -0 alone is 0
    shape = (1, -1, 1) if scalar else (1, 1, -1)
    first, second, third, cotangent = (part.reshape(shape).contiguous() for part in found)
    return {3: (third, first, second), 2: (first, second), 1: (first,)}, cotangent


def by_torch(op, operands, cotangent):
    leaves = [operand.clone().requires_grad_() for operand in operands]
    result = TORCH.get(op.name, getattr(torch, op.name, None))(*leaves)
    if not result.requires_grad:
        return result, [torch.zeros_like(leaf) for leaf in leaves]
    grads = torch.autograd.grad(result, leaves, cotangent, allow_unused=True)
    return result.detach(), [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, grads, strict=True)]


def by_loopcell(made, operands, cotangent, dtype):
    net = Recurrent(made, 1, cotangent.shape[-1], dtype=dtype)
    named = ((f"{op.name}_{at}", x) for op in POINTWISE for at, x in enumerate(operands[op.arity]))
    given = {name: x.clone().requires_grad_() for name, x in named}
    _, new = net(torch.zeros(1, cotangent.shape[1], 1, dtype=dtype), State(**given))
    results = [result for op in POINTWISE if (result := new[f"{op.name}_0"]).requires_grad]
    grads = torch.autograd.grad(results, list(given.values()), [cotangent] * len(results), allow_unused=True)
    none = torch.zeros_like(cotangent)
    return new, {name: none if g is None else g for name, g in zip(given, grads, strict=True)}, net


@pytest.mark.parametrize("path", ["auto", "reference"])
@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_finite_goes_the_way_that_it_goes_in_torch(dtype, scalar, path):
    operands, cotangent = combinations(dtype, scalar)
    with loopcell.backend(path):
        new, grads, net = by_loopcell(every_op(scalar), operands, cotangent, dtype)
        assert (net.plan()[0].backend == "c") == (path == "auto")
    for op in POINTWISE:
        result, expected = by_torch(op, operands[op.arity], cotangent)
        name = f"{op.name}_0"
        assert_close(new[name], result, equal_nan=True, msg=lambda text, op=op: f"{op.name}: {text}")
        zero = (result == 0) & (not scalar)
        assert torch.equal(new[name][zero].signbit(), result[zero].signbit()), op.name
        for at, wanted in enumerate(expected):
            say = lambda text, op=op, at=at: f"gradient of operand {at} of {op.name}: {text}"  # noqa: E731
            assert_close(grads[f"{op.name}_{at}"], wanted, equal_nan=True, msg=say)


@pytest.mark.parametrize("path", ["auto", "reference"])
def test_a_condition_may_be_a_constant(path):
    """As in a file, or where evaluation puts the mean of a draw."""

    @cell
    def drawn(x, h, *, W):
        return where(bernoulli(h, 0.5, name="draw"), W.h @ x, h)

    net = Recurrent(drawn, 2, 3).eval()
    x = torch.randn(4, 1, 2)
    with loopcell.backend(path):
        assert_close(net(x)[0], x @ net.l0.W.h.T)  # a mean of 0.5 holds


@pytest.mark.parametrize("name", ["gru_layer_norm", "lstm_layer_norm", "gru", "lstm"])
@pytest.mark.parametrize("scale", [1e18, 1e20, 1e36, 1e37])
def test_large_weights_are_not_finite_in_the_same_places(name, scale):
    """While no partial sum of a product overflows, whatever its order; beyond, the order of a sum decides."""
    net = Recurrent(cells.get(name), 5, 6)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter).clamp(-3, 3) * scale)
    x = torch.rand(3, 4, 5) - 0.5  # the absolute terms of a sum, 6 * 3e37 at most, have a finite sum
    found = []
    for path in ("auto", "reference"):
        with loopcell.backend(path):
            given = x.clone().requires_grad_()
            y, _ = net(given)
            found.append((y.detach(), torch.autograd.grad(y.sum(), given)[0]))
    for kernel, reference in zip(*found, strict=True):
        assert torch.equal(kernel.isnan(), reference.isnan())
        assert torch.equal(kernel.isinf(), reference.isinf())
