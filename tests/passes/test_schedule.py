"""Packing and phases."""

from __future__ import annotations

from loopcell import cells
from loopcell.passes import build_program


def products(phases):
    return [[product.parameters for product in phase.products] for phase in phases]


def program(name):
    return build_program(cells.get(name).graph, training=True)


def test_products_of_one_operand_are_one_product():
    assert products(program("lstm").loop_phases) == [[("U.i", "U.f", "U.g", "U.o")]]
    assert products(program("lstm").prologue_phases) == [[("W.i", "W.f", "W.g", "W.o")]]


def test_a_product_of_a_computed_value_starts_a_phase():
    assert products(program("gru_keeps_before").loop_phases) == [[("U.r", "U.z")], [("U.n",)]]
    assert products(program("gru").loop_phases) == [[("U.r", "U.z", "U.n")]]


def test_a_projection_comes_last():
    assert products(program("lstm_projected").loop_phases) == [[("U.i", "U.f", "U.g", "U.o")], [("P.h",)]]


def test_diagonal_cells_have_no_product_in_the_loop():
    for name in ("indrnn", "min_gru", "min_lstm", "sru"):
        assert products(program(name).loop_phases) == [[]]


def test_the_reverse_step_adds_its_products_up_in_one():
    reverse = [phase.products for phase in program("lstm").backward_phases if phase.products]
    assert len(reverse) == 1
    assert sorted(reverse[0][0].parameters) == ["U.f", "U.g", "U.i", "U.o"]


def test_every_node_is_computed_once_and_after_its_operands():
    for name in cells.names():
        made = program(name)
        for graph, phases in ((made.loop, made.loop_phases), (made.backward.graph, made.backward_phases)):
            done = {index for index, _ in graph.leaves()}
            for phase in phases:
                for results in [
                    *(product.results for product in phase.products),
                    *((index,) for index in phase.pointwise),
                ]:
                    for index in results:
                        assert index not in done
                        assert done.issuperset(graph.nodes[index].args)
                    done.update(results)
            assert len(done) == len(graph.nodes)
