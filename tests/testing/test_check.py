"""check_cell passes what is right, and each of its laws turns red when it is broken."""

import re
from dataclasses import replace

import pytest

import loopcell
from loopcell import cells, log, sigmoid, tanh
from loopcell.errors import InputError, UsageError
from loopcell.runtime import operator_spec
from loopcell.testing import LAWS, Case, CheckFailed, check_cell
from tests.testing.sabotage import BREAKS


@pytest.fixture(autouse=True)
def broken_cells_are_forgotten():
    """The operator knows a cell by its text, so one that was derived by a broken rule would be the next test's LSTM."""
    yield
    operator_spec.spec_of.cache_clear()


@loopcell.cell
def from_a_notebook(x, h, *, W, U, b):
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    return z * h + (1 - z) * tanh(W.n @ x + b.n)


@loopcell.cell
def logarithmic(x, h, *, W):
    return log(W.h @ x + h)


def fresh(cell):
    """The same cell with a graph that no cache knows."""
    return replace(cell, graph=replace(cell.graph))


@pytest.mark.parametrize(
    "cell", [from_a_notebook, cells.get("lstm"), cells.get("gru_layer_norm")], ids=lambda c: c.name
)
def test_a_cell_that_is_right_passes(cell):
    check_cell(cell)


def test_other_sizes_are_passed_on():
    check_cell(cells.get("lstm_projected"), input_size=2, hidden_size=4, sizes={"proj": 3})
    with pytest.raises(InputError, match="needs the size 'proj'"):
        check_cell(cells.get("lstm_projected"))


def test_a_result_that_is_not_finite_is_a_failure():
    with pytest.raises(CheckFailed, match=r"cell `logarithmic` breaks the law that .*: .* not finite"):
        check_cell(logarithmic)


@pytest.mark.parametrize(("law", "sabotage"), BREAKS, ids=[f"{law}-{how.__name__}" for law, how in BREAKS])
def test_every_law_can_turn_red(law, sabotage, monkeypatch):
    cell = fresh(cells.get("lstm"))
    LAWS[law](Case(cell))
    sabotage(monkeypatch)
    with pytest.raises(CheckFailed):
        LAWS[law](Case(fresh(cell)))


def test_every_law_has_a_sabotage():
    assert {law for law, _ in BREAKS} == set(LAWS)


@pytest.mark.parametrize(("law", "sabotage"), BREAKS, ids=[f"{law}-{how.__name__}" for law, how in BREAKS])
def test_check_cell_names_the_cell_and_the_law(law, sabotage, monkeypatch):
    sabotage(monkeypatch)
    with pytest.raises(CheckFailed) as failure:
        check_cell(fresh(cells.get("lstm")))
    named = re.fullmatch(r"cell `lstm` breaks the law that (.*?): .*", str(failure.value), re.DOTALL)
    assert named is not None
    assert named[1] in LAWS


def test_an_error_of_another_kind_says_during_which_law_it_came(monkeypatch):
    def fails(case):
        raise ZeroDivisionError

    monkeypatch.setitem(LAWS, "chunks make the whole", fails)
    with pytest.raises(ZeroDivisionError) as failure:
        check_cell(from_a_notebook)
    assert failure.value.__notes__ == [
        "This happened while cell `from_a_notebook` was checked for the law that chunks make the whole."
    ]


def test_a_case_takes_a_cell_of_the_library_by_its_name():
    assert Case("gru") == Case(cells.get("gru"), input_size=3, hidden_size=5, sizes=None, steps=5, batch=3)
    with pytest.raises(UsageError, match="gru"):
        Case("grue")
