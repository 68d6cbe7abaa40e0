"""The budget: about the same number of parameters, by the nearest hidden size there is."""

import pytest

from loopcell import Recurrent, cell, cells
from loopcell.comparison.budget import count, nearest_hidden_size
from loopcell.errors import UsageError

SHAPE = {"input_size": 5, "num_layers": 2, "bidirectional": True}


@pytest.mark.parametrize("name", ["lstm", "gru", "min_gru", "indrnn", "lstm_projected"])
@pytest.mark.parametrize("target", [1, 900])
def test_the_hidden_size_is_the_nearest_of_all(name, target):
    one, sizes = cells.get(name), {"proj": 4}
    counts = {hidden: count(one, hidden, SHAPE, sizes) for hidden in range(1, 50)}
    found = nearest_hidden_size(one, target, SHAPE, sizes)
    assert abs(counts[found] - target) == min(abs(value - target) for value in counts.values())


def test_the_count_is_that_of_the_layers():
    net = Recurrent("gru", 5, 7, 2, bidirectional=True)
    assert count(cells.get("gru"), 7, SHAPE, {}) == sum(parameter.numel() for parameter in net.parameters())


def test_a_cell_without_enough_parameters_is_refused():
    @cell
    def fixed(x, h, *, W):
        return 0.5 * h + W.h @ x

    assert nearest_hidden_size(fixed, 50, {**SHAPE, "num_layers": 1, "bidirectional": False}, {}) == 10
    with pytest.raises(UsageError, match="cell `fixed` does not reach 10,000,000 parameters with 65,536 units"):
        nearest_hidden_size(fixed, 10_000_000, {**SHAPE, "num_layers": 1, "bidirectional": False}, {})
