"""Equations in print."""

from __future__ import annotations

import re

import pytest

from loopcell import cell, cells, tanh


def test_text_of_the_lstm():
    assert cells.get("lstm").text() == (
        "i = sigmoid(W.i @ x + U.i @ h + b.i)\n"
        "f = sigmoid(W.f @ x + U.f @ h + b.f)\n"
        "g = tanh(W.g @ x + U.g @ h + b.g)\n"
        "o = sigmoid(W.o @ x + U.o @ h + b.o)\n"
        "c = f * c + i * g\n"
        "h = o * tanh(c)"
    )


def test_latex_tells_past_and_present_apart():
    assert cells.get("gru").latex() == (
        "\\begin{aligned}\n"
        "r_{t} &= \\sigma\\left(W_{r} x_{t} + U_{r} h_{t-1} + b_{r}\\right) \\\\\n"
        "z_{t} &= \\sigma\\left(W_{z} x_{t} + U_{z} h_{t-1} + b_{z}\\right) \\\\\n"
        "n_{t} &= \\tanh\\left(W_{n} x_{t} + b_{n} + r_{t} \\odot \\left(U_{n} h_{t-1} + d_{n}\\right)\\right) \\\\\n"
        "h_{t} &= \\left(1 - z_{t}\\right) \\odot n_{t} + z_{t} \\odot h_{t-1}\n"
        "\\end{aligned}"
    )


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        (lambda W, x, h: h - (h - W.a @ x), "h - (h - W.a @ x)"),
        (lambda W, x, h: (h - W.a @ x) - h, "h - W.a @ x - h"),
        (lambda W, x, h: h / (W.a @ x / h), "h / (W.a @ x / h)"),
        (lambda W, x, h: -(h + W.a @ x), "-(h + W.a @ x)"),
        (lambda W, x, h: W.b @ (h * 2), "W.b @ (h * 2)"),
        (lambda W, x, h: 0.5 * (h + 1), "0.5 * (h + 1)"),
        (lambda W, x, h: abs(h) * (1 - h) * (2 - h), "abs(h) * (1 - h) * (2 - h)"),
    ],
)
def test_parentheses_stand_where_they_matter(written, printed):
    @cell
    def one(x, h, *, W):
        return written(W, x, h)

    assert one.text() == f"h = {printed}"


@pytest.mark.parametrize("name", cells.names())
def test_text_reads_back_as_the_same_cell(name):
    """What is printed is Python: read as a cell's body it gives the same equations."""
    printed = cells.get(name)
    if "size(" in printed.text():
        pytest.skip("means are printed as sum / size, which equations do not spell")
    spaces = sorted({parameter.partition(".")[0] for parameter in printed.graph.parameters})
    states = [
        f'{state}: "{printed.graph.nodes[printed.graph.results[f"state.{state}"]].dims[0]}"' for state in printed.states
    ]
    returned = ", ".join(printed.states)
    if printed.graph.results["output"] not in [printed.graph.results[f"state.{state}"] for state in printed.states]:
        returned = f"h, {returned}"
    body = "\n    ".join(printed.text().splitlines())
    source = f"def again(x, {', '.join(states)}, *, {', '.join(spaces)}):\n    {body}\n    return {returned}\n"
    import loopcell

    namespace = dict(vars(loopcell)) | {f: getattr(loopcell, f) for f in ("sigmoid", "tanh", "relu", "softplus", "exp")}
    exec(source.replace("output =", "h ="), namespace)
    assert cell(namespace["again"]).fingerprint == printed.fingerprint


def test_latex_is_balanced():
    for name in cells.names():
        latex = cells.get(name).latex()
        assert latex.count("\\left") == latex.count("\\right")
        assert len(re.findall(r"(?<!\\)\{", latex)) == len(re.findall(r"(?<!\\)\}", latex))


def test_constants():
    @cell
    def fixed(x, h, *, W):
        return tanh(W.h @ x) * 0.1 + h * 3 - 2.0

    assert fixed.text() == "h = tanh(W.h @ x) * 0.1 + h * 3 - 2"
