"""Norms by steps back, with numbers that a reader can check."""

import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.backends.lengths import Lengths
from loopcell.insight.flow_of_layer import norms_by_steps_back
from loopcell.insight.last_outputs import last_outputs
from loopcell.insight.nudges import changing_states


def test_each_row_counts_from_its_own_end():
    gradient = torch.tensor([[3.0, 4.0], [1.0, 2.0], [5.0, 0.0]]).unsqueeze(-1)  # [T = 3, B = 2, 1]; 0 is padding
    found = norms_by_steps_back(gradient, Lengths(3, torch.tensor([3, 2])))
    # One step back from its end the first row has 1 and the second 4; two steps back there is the first alone.
    assert found == pytest.approx([((25 + 4) / 2) ** 0.5, ((1 + 16) / 2) ** 0.5, 3.0])
    assert norms_by_steps_back(gradient[:, :1], Lengths(3)) == pytest.approx([5.0, 1.0, 3.0])


def test_states_that_are_handed_on_do_not_change():
    @loopcell.cell
    def carrying(x, h, k, *, W):
        return W.h @ x + k, k

    assert changing_states(carrying.graph) == ["h"]
    assert changing_states(cells.get("lstm").graph) == ["h", "c"]


def test_the_last_outputs_are_those_of_each_rows_end():
    output = torch.tensor([[1.0, 2.0], [4.0, 8.0]]).unsqueeze(-1)  # one number an output: the direction is 1 or -1
    found = last_outputs(output, Lengths(2, torch.tensor([2, 1])), 1)
    assert abs(float(found)) == pytest.approx(4.0 + 2.0)
