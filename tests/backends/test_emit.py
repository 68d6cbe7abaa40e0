"""The reference back end's generated code: text that a person would sign."""

from __future__ import annotations

import torch

from loopcell import cell, cells, maximum, tanh
from loopcell.backends.reference import ReferenceProgram
from loopcell.backends.reference.emit import emit
from loopcell.passes import build_program


def reference(equations):
    return ReferenceProgram(build_program(equations.graph, training=True))


def test_the_lstm_step_reads_like_its_equations():
    assert reference(cells.get("lstm")).loop.source == (
        "def lstm_step(i_in, f_in, g_in, o_in, h_prev, c_prev, U_i__U_f__U_g__U_o):\n"
        "    # phase 1\n"
        "    U_i_h, U_f_h, U_g_h, U_o_h = linear(h_prev, U_i__U_f__U_g__U_o).chunk(4, -1)\n"
        "    i = sigmoid(i_in + U_i_h)\n"
        "    f = sigmoid(f_in + U_f_h)\n"
        "    g = tanh(g_in + U_g_h)\n"
        "    o = sigmoid(o_in + U_o_h)\n"
        "    c = f * c_prev + i * g\n"
        "    h = o * tanh(c)\n"
        "    return (h, h, c)\n"
    )


def test_names_that_python_keeps_for_itself():
    @cell
    def awkward(x, h, *, W, tanh_):
        linear = tanh(W.h @ x + tanh_.sum * h)
        total = linear * h
        lambda_ = total + linear
        return lambda_ * 1

    step = reference(awkward).loop
    one = torch.ones(2, dtype=torch.float64)
    values = dict.fromkeys(step.arguments, one)
    assert step.call(*values.values())[0].tolist() == (torch.tanh(2 * one) * 2).tolist()


def test_parentheses_of_the_generated_code():
    @cell
    def nested(x, h, *, W):
        return h - (h - (h / (h * 3))) * maximum(-h, 0.5)

    step = emit(build_program(nested.graph, training=True).loop, "step")
    h = torch.tensor([0.7, -2.0], dtype=torch.float64)
    expected = h - (h - (h / (h * 3))) * torch.clamp(-h, min=0.5)
    assert torch.allclose(step.call(h)[0], expected, rtol=1e-15)


def test_one_stack_of_parameters_for_two_operands():
    @cell
    def shared(x, h, m, *, U, W):
        a = tanh(U.a @ h + U.a @ m + W.a @ x)
        b = tanh(U.b @ h + U.b @ m)
        U_a__U_b = a * b
        return U_a__U_b, a

    step = reference(shared).loop
    assert step.packs == (("U.a", "U.b"),)
    h, m, a_in = torch.randn(3, 2, 4, dtype=torch.float64)
    U = torch.randn(8, 4, dtype=torch.float64)
    a, b = (torch.tanh(s) for s in ((h + m) @ U[:4].T + a_in, (h + m) @ U[4:].T))
    output, *_ = step.call(a_in, h, m, U)
    assert torch.allclose(output, a * b)
