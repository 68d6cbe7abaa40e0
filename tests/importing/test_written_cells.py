"""Cells that are written for a file: the library's own where the equations are, and lawful in any case."""

import pytest

from loopcell import cells
from loopcell.importing import written_cells
from loopcell.importing.activations import KERAS, SIGMOID, TANH
from loopcell.testing import check_cell

S, T = SIGMOID, TANH


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (written_cells.rnn_cell(T), "rnn"),
        (written_cells.rnn_cell(KERAS["relu"]), "rnn_relu"),
        (written_cells.lstm_cell(S, T, T), "lstm"),
        (written_cells.lstm_cell(S, T, T, peepholes=True), "lstm_peephole"),
        (written_cells.gru_after_cell(S, T), "gru"),
        (written_cells.gru_before_cell(S, T), "gru_keeps_before"),
    ],
)
def test_the_librarys_own_cells(written, name):
    assert written is cells.get(name)


@pytest.mark.parametrize(
    "written",
    [
        written_cells.rnn_cell(KERAS["softsign"], clip=2.0),
        written_cells.lstm_cell(KERAS["hard_sigmoid"], KERAS["elu"], T, clip=1.5, peepholes=True, coupled=True),
        written_cells.gru_before_cell(KERAS["hard_sigmoid"], KERAS["mish"], clip=1.5),
        written_cells.gru_after_cell(S, KERAS["leaky_relu"]),
    ],
    ids=lambda cell: cell.name,
)
def test_what_is_written_obeys_the_laws(written):
    check_cell(written)


def test_the_gates_have_the_fields_names():
    text = written_cells.lstm_cell(S, T, T, clip=1.0, coupled=True).text()
    assert "f = 1 - i\n" in text and "maximum(minimum(W.g @ x + U.g @ h + b.g, 1), -1)" in text  # noqa: PT018
    assert text.endswith("h = o * tanh(c)\n") or text.rstrip().endswith("h = o * tanh(c)")
