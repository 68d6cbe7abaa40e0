"""Polynomials: equal sums of products are equal however they are written."""

# ruff: noqa: RET504 - a cell names the state that it returns

import pytest

from loopcell import cell, sigmoid, tanh
from loopcell.equations import Key
from loopcell.export.onnx.polynomials import MOST_TERMS, polynomials, quotient, times, total


@cell
def one(x, h, *, W):
    z, n = sigmoid(W.z @ x), tanh(W.n @ x)
    h = (1 - z) * n + z * h
    return h


@cell
def two(x, h, *, W):
    z, n = sigmoid(W.z @ x), tanh(W.n @ x)
    h = n + z * h - n * z
    return h


@cell
def three(x, h, *, W):
    z, n = sigmoid(W.z @ x), tanh(W.n @ x)
    h = -(z * (n - h) - n)
    return h


def named(own):
    """The new state as products of names, with their coefficients."""
    graph = own.graph
    form = polynomials(graph, {})[graph.results[Key("output")]]
    return {tuple(sorted(graph.nodes[at].label or graph.nodes[at].name for at in term)): v for term, v in form.items()}


@pytest.mark.parametrize("own", [one, two, three], ids=lambda own: own.name)
def test_three_ways_to_write_a_mean_are_one(own):
    assert named(own) == {("n",): 1.0, ("n", "z"): -1.0, ("h", "z"): 1.0}


def test_sums_products_and_quotients_by_hand():
    left, right = {(1,): 2.0, (): 1.0}, {(2,): 3.0, (1,): -2.0}
    assert total(left, right) == {(): 1.0, (2,): 3.0}
    assert times(left, right) == {(1, 2): 6.0, (1, 1): -4.0, (2,): 3.0, (1,): -2.0}
    assert quotient({(1, 2): 6.0, (1, 1): -4.0}, 1) == {(2,): 6.0, (1,): -4.0}
    assert quotient({(1, 2): 6.0, (2,): 1.0}, 1) is None


def test_a_product_that_would_explode_is_an_atom():
    @cell
    def wide(x, h, *, W):
        total_of = sum((tanh(getattr(W, f"g{k}") @ x) for k in range(12)), h)
        h = tanh(total_of * total_of * total_of)
        return h

    assert max(len(form) for form in polynomials(wide.graph, {})) <= MOST_TERMS
