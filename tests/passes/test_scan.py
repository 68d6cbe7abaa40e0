"""Which loops are scans over time, and into what they fall."""

import pytest

from loopcell import cell, cells, sigmoid, tanh, where
from loopcell.cells import zoneout
from loopcell.passes import build_program
from loopcell.passes.scan import scan
from loopcell.passes.show import show_scan


def scanned(equations, *, training=False):
    return scan(build_program(cells.get(equations).graph, training=training).loop)


@cell
def smoothed_twice(x, h, s, *, W, U, p):
    h = sigmoid(p.h) * h + W.h @ x
    s = sigmoid(U.s @ h) * s + tanh(h)  # reads h, which was scanned before, through any function
    return s, h, s


@cell
def highway(x, c, *, W, v):
    r = sigmoid(W.r @ x + v.r * c)  # of the state before the step, and of no new state
    c = where(W.f @ x > 0, c, W.c @ x)
    return r * tanh(c), c


def test_the_cells_of_the_library_that_are_scans():
    assert {name for name in cells.names() if scanned(name)} == {"min_gru", "min_lstm"}


@cell
def indrnn_of_identity(x, h, *, W, u, b):
    return W.h @ x + u.h * h + b.h


def test_indrnn_with_the_identity_is_one():
    assert scanned(indrnn_of_identity)


def test_a_state_may_be_scanned_after_one_that_it_reads():
    parts = scanned(smoothed_twice)
    assert [part.state for part in parts.scans] == ["h", "s"]
    assert {node.name for _, node in parts.scans[1].before.leaves("hoisted")} >= {"after.h"}


def test_the_output_may_read_both_states_through_anything():
    parts = scanned(highway)
    assert {str(node.key) for _, node in parts.after.leaves("state", "hoisted")} >= {"state.c", "hoisted.after.c"}


def test_zoneout_keeps_a_scan_one():
    assert scanned(zoneout(cells.get("min_gru"), 0.2), training=True)
    assert scanned(zoneout(cells.get("min_gru"), 0.2))


@cell
def entries_mixed(x, h, *, W, U):
    return W.h @ x + U.h @ h


@cell
def bent(x, h, *, W):
    return tanh(h) + W.h @ x


@cell
def squared(x, h, *, W):
    return h * h + W.h @ x


@cell
def divided(x, h, *, W):
    return W.h @ x / h


@cell
def decided(x, h, *, W):
    return where(h, h, W.h @ x)


@cell
def crossed(x, h, c, *, W):
    h, c = c + W.h @ x, h
    return h, c


@pytest.mark.parametrize("name", ["entries_mixed", "bent", "squared", "divided", "decided", "crossed"])
def test_what_is_not_affine_in_its_own_state_alone_is_none(name):
    assert scanned(globals()[name]) is None


def test_it_prints():
    assert show_scan(scanned("min_gru")).splitlines() == [
        "before, for the whole sequence at once:",
        "    coefficient_h = h_in",
        "    offset_h = h_in2",
        "scan over time:",
        "    h = coefficient_h * h + offset_h",
        "after:",
        "    output = after.h",
    ]
