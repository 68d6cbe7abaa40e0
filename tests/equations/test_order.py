"""Returned values against the order of the states, by the names that the author gave them."""

from __future__ import annotations

import functools
from typing import NamedTuple

import pytest
from hypothesis import given, strategies as st

from loopcell import cell, cells, sigmoid, tanh
from loopcell.equations.order import Returned, swapped
from loopcell.errors import TraceError


def refused(function):
    with pytest.raises(TraceError) as caught:
        cell(function)
    return str(caught.value)


def test_states_in_the_wrong_order_show_both_orders_and_the_line():
    def lstm(x, h, c, *, W, U, b):
        i = sigmoid(W.i @ x + U.i @ h + b.i)
        c = (1 - i) * c + i * tanh(W.g @ x + U.g @ h + b.g)
        h = i * tanh(c)
        return c, h

    message = refused(lstm)
    assert message.startswith("cell `lstm`, line ")
    assert message.endswith(
        " of test_order.py:\n    return c, h\n"
        "`c, h` is returned, and taken as h, c: `c` would be the new h; "
        "return h, c, or rename the values if this order is meant"
    )


def test_one_misplaced_value_is_enough():
    def half_named(x, h, c, *, W):
        c = c + W.c @ x
        return c, h * tanh(c)

    assert "`c, ...` is returned, and taken as h, c: `c` would be the new h; return h, c, or" in refused(half_named)


def test_the_output_stands_first_and_its_name_is_free():
    def torchs_order(x, h, c, *, W):
        h = tanh(W.h @ x + h)
        c = c * h
        y = h + c
        return h, c, y

    def behind_the_state(x, h, *, W):
        h = tanh(W.h @ x + h)
        y = 2 * h
        return h, y

    assert "`h, c, y` is returned, and taken as the output, h, c: `c` would be the new h; return y, h, c" in refused(
        torchs_order
    )
    assert "`h, y` is returned, and taken as the output, h: `y` would be the new h; return y, h" in refused(
        behind_the_state
    )


def returned(**names):
    """Values in order, each named by a keyword: c_new=1 is the value 1 with the name c_new."""
    return [Returned(node, (name,)) for name, node in names.items()]


SWAPPED = {
    ("h", "c"): ["c h", "c_new h_new", "new_c new_h", "next_c next_h", "ct ht", "c_t h_t", "cy hy", "c1 h1", "c_ h_",
                 "c_neu h_neu", "C H", "cell hidden", "cell_state hidden_state",
                 "memory hidden", "y c h", "h c h2", "c_new other"],
    ("hidden", "cell"): ["cell hidden", "c h", "new_cell new_hidden", "cell2 hidden2"],
    ("h1", "c1", "h2", "c2"): ["h1 h2 c1 c2", "c1 h1 c2 h2", "h1_new h2_new c1_new c2_new"],
    ("a", "b", "c"): ["b c a", "b_new c_new a_new", "a c b", "bx cx ax"],
    ("h",): ["h y", "h_new out", "new_h output"],
}  # fmt: skip

FINE = {
    ("h", "c"): ["h c", "h_new c_new", "o c", "m n", "h2 c2", "c_out c", "c2 c1", "c_tilde c", "y h c", "c h c", "h m"],
    ("h1", "h2"): ["h1 h2", "h1_new h2_new", "a b"],
    ("h", "h_slow"): ["h_new h_slow_new", "h_fast h_slow", "h h_slow"],
    ("h",): ["h", "h h2", "y h", "h h_kept", "h new", "out h_new", "a b"],
    ("c",): ["h c", "c"],
    ("y",): ["y_new y", "h y"],
}


@pytest.mark.parametrize(("states", "names"), [(s, n) for s, all_names in SWAPPED.items() for n in all_names])
def test_names_that_contradict_the_order(states, names):
    values = [Returned(place, (name,)) for place, name in enumerate(names.split())]
    assert swapped(states, values)


@pytest.mark.parametrize(("states", "names"), [(s, n) for s, all_names in FINE.items() for n in all_names])
def test_names_that_do_not(states, names):
    values = [Returned(place, (name,)) for place, name in enumerate(names.split())]
    assert swapped(states, values) == ""


@given(st.permutations(["h", "c", "n", "m"]), st.sampled_from(["{}", "{}_new", "next_{}", "{}t", "{}y", "{}_prime"]))
def test_every_permutation_but_the_right_one_is_refused(order, pattern):
    values = [Returned(place, (pattern.format(name),)) for place, name in enumerate(order)]
    message = swapped(["h", "c", "n", "m"], values)
    assert bool(message) == (order != ["h", "c", "n", "m"])
    right = ", ".join(pattern.format(name) for name in "hcnm")
    assert not message or f"; return {right}, or rename" in message


def test_delay_lines_copies_and_renamed_values_are_no_swap():
    @cell
    def delayed(x, h, p, q, *, W):
        return tanh(W.h @ x + h + p + q), h, p

    @cell
    def delayed_by_name(x, h, p, *, W):
        p, h = h, tanh(W.h @ x + h + p)
        return h, p

    @cell
    def one_value_for_both(x, h, c, *, W):
        c = tanh(W.h @ x + h + c)
        return c, c

    @cell
    def two_names(x, h, c, *, W):
        h = c = tanh(W.h @ x + h + c)
        return h, c

    @cell
    def renamed(x, h, c, *, W):
        fast, slow = tanh(W.h @ x + c), (h + c) / 2
        return fast, slow

    assert [made.states for made in (delayed, delayed_by_name)] == [("h", "p", "q"), ("h", "p")]
    assert one_value_for_both.fingerprint == two_names.fingerprint
    assert renamed.states == ("h", "c")


def backwards(function):
    @functools.wraps(function)
    def turned(*values, **spaces):
        return function(*values, **spaces)[::-1]

    return turned


def test_names_are_found_in_helpers_decorators_and_namedtuples():
    class Pair(NamedTuple):
        c: object
        h: object

    def step(x, h, c, W):
        c = c + W.c @ x
        h = h * tanh(c)
        return c, h

    def helped(x, h, c, *, W):
        return step(x, h, c, W)

    def by_field(x, h, c, *, W):
        return Pair(c + W.c @ x, h * c)

    @backwards
    def decorated(x, h, c, *, W):
        c = c + W.c @ x
        h = h * tanh(c)
        return h, c

    for wrong in (helped, by_field, decorated):
        assert "taken as h, c: `c` would be the new h; return h, c" in refused(wrong)


def test_a_decorator_that_puts_the_order_right_is_welcome():
    @cell
    @backwards
    def decorated(x, h, c, *, W):
        c = c + W.c @ x
        h = h * tanh(c)
        return c, h

    assert decorated.text() == "c = c + W.c @ x\nh = h * tanh(c)"


def test_cells_inside_cells_keep_their_order():
    lstm = cells.get("lstm")

    @cell
    def outer(x, h, c, *, W, U, b):
        y, h, c = lstm(x, h, c, W=W, U=U, b=b)
        return y, h, c

    def crossed(x, h, c, *, W, U, b):
        y, h, c = lstm(x, h, c, W=W, U=U, b=b)
        return y, c, h

    assert outer.fingerprint == lstm.fingerprint
    assert "taken as the output, h, c: `c` would be the new h" in refused(crossed)
