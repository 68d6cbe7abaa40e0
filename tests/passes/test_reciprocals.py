"""Vectors are multiplied by the reciprocal of a root, and divided by whatever else may be small."""

import pytest
import torch

import loopcell
from loopcell import cell, cells, sqrt, total
from loopcell.passes import build_program
from loopcell.passes.reciprocals import by_reciprocals


@cell
def by_root(x, h, *, W, U):
    v = W.i @ x + U.i @ h
    return v / sqrt(total(v * v))


@cell
def by_number(x, h, *, W, U):
    v = W.i @ x + U.i @ h
    return v / total(v * v)


def divided_vectors(graph):
    return [node for node in graph.nodes if node.op == "div" and graph.nodes[node.args[0]].dims]


def test_no_vector_of_layer_normalisation_is_divided_forward_or_backward():
    program = build_program(cells.get("lstm_layer_norm").graph, training=True)
    for graph in (program.loop, program.backward.graph, program.fused.core, program.fused.backward.graph):
        assert any(node.op == "div" for node in graph.nodes)  # of numbers, one a row
        assert not divided_vectors(graph)


def test_a_number_that_is_no_root_still_divides():
    """1 / 1e-39 is infinite in float32, and 0 / 1e-39 is 0: the product would be NaN."""
    assert by_reciprocals(by_number.graph) is by_number.graph
    assert len(divided_vectors(build_program(by_number.graph, training=True).loop)) == 1


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_the_quotient_is_what_it_was(backend, scale):
    torch.manual_seed(0)
    net = loopcell.Recurrent(by_root, 8, 16)
    x = torch.randn(5, 3, 8) * scale
    with torch.no_grad(), loopcell.backend(backend):
        y, _ = net(x[:1])
    (weight,) = (value for name, value in net.named_parameters() if "W" in name)
    v = x[:1].double() @ weight.double().T
    assert torch.allclose(y.double(), v / v.square().sum(-1, keepdim=True).sqrt(), atol=1e-5)


def test_a_root_of_zero_gives_nan_as_it_did():
    net = loopcell.Recurrent(by_root, 8, 16)
    y, _ = net(torch.zeros(2, 1, 8))
    assert y.isnan().all()
