"""Jobs with a known answer at a known distance, drawn by NumPy: the adding problem, copying, delayed recall.

Each says what a model without memory reaches, and from which score on the job counts as solved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float32]
Drawn = tuple[Numbers, npt.NDArray[np.float64] | npt.NDArray[np.int64]]
Seed = int | Sequence[int]

COPIED = 10
"""Symbols that are to be copied."""
ALPHABET = 8
"""Different symbols to copy."""
SYMBOLS = 4
"""Different symbols of which one is to be recalled."""


@dataclass(frozen=True)
class Problem:
    """A job with a known answer.

    Attributes:
        name: what it is called.
        draw: makes sequences [N, T, I] and answers ([N] numbers, or [N, A] classes, A of them at the last steps), given
            how many, the distance in steps, and a seed.
        smallest: the smallest distance.
        inputs: I, numbers a step.
        outputs: numbers that the read-out has: 1 for a number, the count of classes for classes.
        metric: of the score: "MSE" or "accuracy".
        chance: the score of a model without memory.
        solved: the score from which on the job counts as solved.
        enough: the score at which training ends.
        source: who posed it.
    """

    name: str
    draw: Callable[[int, int, Seed], Drawn]
    smallest: int
    inputs: int
    outputs: int
    metric: str
    chance: float
    solved: float
    enough: float
    source: str

    @property
    def larger_is_better(self) -> bool:
        """Say whether a larger score is a better one."""
        return self.metric == "accuracy"

    def reaches(self, score: float, bound: float) -> bool:
        """Say whether a score is at least as good as a bound; NaN never is."""
        return score >= bound if self.larger_is_better else score <= bound


def adding_problem(count: int, steps: int, seed: Seed) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """Draw T pairs of a number and a mark, and the sum of the two numbers that are marked, one in each half.

    Hochreiter and Schmidhuber: Long Short-Term Memory, 1997, experiment 4, in the form of Le, Jaitly and Hinton (2015,
    arXiv 1504.00941): numbers are drawn evenly from 0 to 1. Who always says 1 has a squared error of 1/6.

    Args:
        count: N.
        steps: T, at least 2.
        seed: a number or several; the steps are a part of it too.

    Returns:
        Sequences [N, T, 2] and sums [N].
    """
    drawn = _generator(seed, steps)
    numbers, marks = drawn.random((count, steps)), np.zeros((count, steps))
    for half in (drawn.integers(0, steps // 2, count), drawn.integers(steps // 2, steps, count)):
        marks[np.arange(count), half] = 1
    X = np.stack([numbers, marks], axis=2).astype(np.float32)
    return X, (numbers * marks).sum(1)


def copying_problem(count: int, distance: int, seed: Seed) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Draw ten symbols of eight, blanks, and a sign after which the ten are to be said in their order.

    Hochreiter and Schmidhuber (1997) in the form of Arjovsky, Shah and Bengio: Unitary Evolution Recurrent Neural
    Networks, 2016 (arXiv 1511.06464), section 4.1. Only the ten answers count here: the blanks before them need no
    memory. Who knows nothing has one in eight right.

    Args:
        count: N.
        distance: steps from the last symbol to the first answer, at least 1; T is `distance` + 19.
        seed: a number or several; the distance is a part of it too.

    Returns:
        Sequences [N, T, 10], each step one of eight symbols, the blank or the sign, and the classes [N, 10] that are to
        be said at the last ten steps.
    """
    symbols = _generator(seed, distance).integers(0, ALPHABET, (count, COPIED))
    tokens = np.full((count, distance + 2 * COPIED - 1), ALPHABET)
    tokens[:, :COPIED] = symbols
    tokens[:, COPIED + distance - 1] = ALPHABET + 1
    return np.eye(ALPHABET + 2, dtype=np.float32)[tokens], symbols


def delayed_recall(count: int, distance: int, seed: Seed) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Draw symbols of four, of which one is marked; which one was it? The mark stands k steps before the last step.

    A latch among distractors: Bengio, Simard, Frasconi: Learning Long-Term Dependencies with Gradient Descent is
    Difficult, 1994, section 3; Hochreiter and Schmidhuber (1997), experiments 2 and 3. The sequence begins before the
    mark, by a quarter of the distance and at least 4 steps, so that a model that looks farther back than k is seen to
    do so. Who knows nothing has one in four right.

    Args:
        count: N.
        distance: k, at least 1.
        seed: a number or several; the distance is a part of it too.

    Returns:
        Sequences [N, T, 5], a symbol as four numbers and the mark, and the marked symbol [N, 1].
    """
    before = max(4, distance // 4)
    symbols = _generator(seed, distance).integers(0, SYMBOLS, (count, before + distance + 1))
    X = np.zeros((*symbols.shape, SYMBOLS + 1), np.float32)
    X[..., :SYMBOLS] = np.eye(SYMBOLS, dtype=np.float32)[symbols]
    X[:, before, SYMBOLS] = 1
    return X, symbols[:, before : before + 1]


def _generator(seed: Seed, distance: int) -> np.random.Generator:
    return np.random.default_rng([*([seed] if isinstance(seed, int) else seed), distance])


_AND = "Hochreiter and Schmidhuber, 1997"

PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(
            "adding", adding_problem, 4, 2, 1, "MSE", 1 / 6, 0.02, 0.01, f"{_AND}; Le, Jaitly and Hinton, 2015"
        ),
        Problem(
            "copying", copying_problem, 1, ALPHABET + 2, ALPHABET, "accuracy", 1 / ALPHABET, 0.95, 0.99,
            f"{_AND}; Arjovsky, Shah and Bengio, 2016",
        ),
        Problem(
            "recall", delayed_recall, 1, SYMBOLS + 1, SYMBOLS, "accuracy", 1 / SYMBOLS, 0.95, 0.99,
            f"Bengio, Simard and Frasconi, 1994; {_AND}",
        ),
    )
}  # fmt: skip
"""The problems by name."""
