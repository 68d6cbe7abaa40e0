"""On a job whose answer stands k steps back, the memory length of a trained model is k."""

import pytest

import loopcell
from loopcell import cells
from loopcell.comparison import OnProblem
from loopcell.insight import memory_length


@pytest.mark.parametrize("delay", [5, 20])
def test_the_horizon_of_a_trained_model_is_the_distance_of_what_it_has_to_recall(delay):
    job = OnProblem(name="recall", distances=(delay,))
    with loopcell.backend("auto"):
        model = job.trained(cells.get("gru"), 1, delay)
        x, y = job.draw(64, delay, (1, 99))
        assert model.score(x, y) > 0.95
        found = memory_length(lambda x: model(x)[-1].softmax(-1), x, lags=range(len(x)))
    assert len(x) > delay + 1  # it could look farther
    assert found.horizon == delay
    assert found.lags[found.effect.argmax()] == delay
