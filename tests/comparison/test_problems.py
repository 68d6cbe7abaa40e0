"""The problems: what is to be known stands where it is said, and who knows nothing gets what is said."""

import numpy as np
import pytest

from loopcell.comparison import adding_problem, copying_problem, delayed_recall
from loopcell.comparison.problems import PROBLEMS


def test_the_adding_problem_is_the_sum_of_two_marked_numbers_one_in_each_half():
    X, y = adding_problem(50, 21, 3)
    assert X.shape == (50, 21, 2)
    for numbers, total in zip(X, y, strict=True):
        (first, second) = np.flatnonzero(numbers[:, 1])
        assert first < 10 <= second
        assert total == pytest.approx(numbers[first, 0] + numbers[second, 0], abs=1e-6)


def test_copying_says_the_ten_symbols_again_after_so_many_steps():
    X, y = copying_problem(20, 7, 3)
    tokens = X.argmax(2)
    assert X.shape == (20, 26, 10)
    assert (X.sum(2) == 1).all()
    assert (tokens[:, :10] == y).all()
    assert (tokens[:, 10:16] == 8).all()  # the first answer is said at step 16, seven after the last symbol
    assert (tokens[:, 16] == 9).all()
    assert (tokens[:, 17:] == 8).all()


@pytest.mark.parametrize("distance", [1, 5, 40])
def test_recall_asks_for_the_marked_symbol_and_the_sequence_begins_before_it(distance):
    X, y = delayed_recall(30, distance, 3)
    steps = X.shape[1]
    assert steps >= distance + 5
    assert (X[:, :, 4].sum(1) == 1).all()
    assert (X[:, steps - 1 - distance, 4] == 1).all()
    assert (X[:, steps - 1 - distance, :4].argmax(1) == y[:, 0]).all()
    assert (X[:, :, :4].sum(2) == 1).all()


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_seed_draws_the_same_and_the_chance_is_that_of_a_constant_answer(name):
    problem = PROBLEMS[name]
    X, y = problem.draw(4000, 12, (5, 1))
    again = problem.draw(4000, 12, (5, 1))
    other = problem.draw(4000, 12, (5, 2))
    assert all((a == b).all() for a, b in zip((X, y), again, strict=True))
    assert (y != other[1]).any()
    assert X.shape[2] == problem.inputs
    reached = np.square(y - 1).mean() if problem.metric == "MSE" else (y == 0).mean()
    assert reached == pytest.approx(problem.chance, rel=0.08)
    assert problem.reaches(problem.enough, problem.solved)
    assert not problem.reaches(problem.chance, problem.solved)
    assert not problem.reaches(float("nan"), problem.solved)
