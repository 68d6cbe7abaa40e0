import re
from xml.dom import minidom

import pytest

from loopcell import cell, cells, sigmoid, tanh
from loopcell.equations.wiring import picture


def _texts(svg):
    """What stands in the boxes and circles of a picture."""
    return [node.firstChild.data for node in minidom.parseString(svg).getElementsByTagName("text")]


def _places(svg):
    return [tuple(map(float, at)) for at in re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)"', svg)]


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_is_drawn_and_nothing_stands_on_anything_else(name):
    graph = cells.get(name).graph
    svg = picture(graph)
    assert {f"{state}ₜ" for state in graph.states} <= set(_texts(svg))
    places = _places(svg)
    assert all(abs(a - c) > 50 or abs(b - d) > 40 for at, (a, b) in enumerate(places) for c, d in places[at + 1 :])
    assert min(x for x, _ in places) > 0
    assert min(y for _, y in places) > 0


def test_an_lstm_is_the_picture_of_the_textbooks():
    texts = _texts(picture(cells.get("lstm").graph))
    assert sorted(texts) == sorted(
        [*("cₜ₋₁", "hₜ₋₁", "xₜ", "σ", "σ", "σ", "tanh", "tanh", "×", "×", "×", "+", "hₜ", "cₜ"), *"ifgoch"]
    )


def test_a_cell_of_ones_own_with_constants_parameters_and_a_name_that_is_no_markup():
    @cell
    def own(x, h, *, W, U, b):
        """Own."""
        gate = sigmoid(W.g @ x + b.g)
        h = (1 - gate) * tanh(U.h @ h) + gate * 0.5
        return h  # noqa: RET504 - a state has its name

    svg = picture(own.graph)
    minidom.parseString(svg)
    texts = _texts(svg)
    assert "1 −" in texts
    assert "× 0.5" in texts
    assert "gate" in texts


def _doubling(count):
    @cell
    def doubling(x, h, *, W):
        value = tanh(W.h @ x)
        for _ in range(count):
            value = value + value
        return tanh(value * h)

    return doubling


def test_a_value_that_doubles_is_walked_once():
    texts = _texts(picture(_doubling(60).graph))  # as a tree it has 2^60 leaves
    assert texts.count("+") == 60


def test_a_deep_graph_is_drawn_without_recursion():
    @cell
    def deep(x, h, *, W, U):
        value = W.h @ x + U.h @ h
        for _ in range(1500):
            value = tanh(value)
        return value

    assert _texts(picture(deep.graph)).count("tanh") == 1500


def test_long_names_widen_the_picture_so_that_nothing_touches():
    @cell
    def long(x, h, *, W, U, b):
        the_candidate_of_the_hidden_state = tanh(W.h @ x + U.h @ h)
        how_much_of_it_is_let_through = sigmoid(W.g @ x) * b.a_parameter_with_a_long_name
        return the_candidate_of_the_hidden_state * how_much_of_it_is_let_through

    svg = minidom.parseString(picture(long.graph))
    spans = [
        (float(node.getAttribute("x")), float(node.getAttribute("y")), len(node.firstChild.data) * 3.5)
        for node in svg.getElementsByTagName("text")
    ]
    width = float(svg.documentElement.getAttribute("width"))
    assert all(half <= x <= width - half for x, _, half in spans)
    for at, (x, y, half) in enumerate(spans):
        for other, beside, its_half in spans[at + 1 :]:
            assert abs(x - other) >= half + its_half or abs(y - beside) > 12
