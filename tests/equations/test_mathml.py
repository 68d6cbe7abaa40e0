from xml.dom import minidom

import pytest

from loopcell import cell, cells, sigmoid, sqrt, where
from loopcell.equations.mathml import mathml


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_is_well_formed_and_defines_each_of_its_values(name):
    graph = cells.get(name).graph
    document = minidom.parseString(mathml(graph))
    defined = {row.getAttribute("data-value") for row in document.getElementsByTagName("mtr")}
    labels = {node.label for node in graph.nodes if node.label and node.args}
    assert labels | set(graph.states) <= defined


def test_a_gru_reads_as_it_is_written():
    text = mathml(cells.get("gru").graph)
    before = '<msub data-value="h"><mi>h</mi><mi>t−1</mi></msub>'
    assert f"<mi>U</mi><mi>r</mi></msub><mspace width='0.17em'></mspace>{before}" in text
    assert '<mtr data-value="z">' in text
    assert "<mi mathvariant='normal'>σ</mi>" in text


def test_fractions_roots_and_functions_of_several_operands():
    @cell
    def odd(x, h, *, W, U, b):
        """Odd."""
        share = sqrt(abs(W.a @ x)) / (1 + sigmoid(b.a))
        h = where(share > h, share, -(U.a @ h))
        return h  # noqa: RET504 - a state has its name

    text = mathml(odd.graph)
    minidom.parseString(text)
    assert "<mfrac><mrow><msqrt>" in text
    assert "<mi mathvariant='normal'>where</mi>" in text
    assert "<mo>&gt;</mo>" in text
