"""Tables like those of C-MAPSS: engines that wear out, seen through sensors.

Saxena, Goebel, Simon, Eklund: Damage propagation modeling for aircraft engine run-to-failure simulation, 2008. A line
has 26 numbers with blanks between them and two at its end: the engine, its cycle, 3 settings, 21 sensors. Of the
training engines all cycles up to the failure are there; those of the test end before it, and a second file has the
cycles that each of them had left.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

COLUMNS = "unit,cycle,op1..op3,s1..s21"
STILL = (1, 5, 10, 16, 18, 19)  # sensors that never change


class Turbofans(NamedTuple):
    """The three files."""

    train: Path
    test: Path
    left: Path


def write_turbofans(folder: Path, *, engines: int, tested: int, shortest: int = 60, longest: int = 140) -> Turbofans:
    """Write files as the real ones are, drawn from a seed."""
    drawn = np.random.default_rng(0)
    directions = drawn.normal(size=21)
    directions[[sensor - 1 for sensor in STILL]] = 0
    lives = drawn.integers(shortest, longest, engines + tested)
    left = drawn.integers(5, shortest - 20, tested)
    found = Turbofans(*(folder / f"{name}_FD001.txt" for name in ("train", "test", "RUL")))
    rows = [_engine(drawn, life, directions) for life in lives]
    _write(found.train, rows[:engines])
    _write(found.test, [engine[: len(engine) - cycles] for engine, cycles in zip(rows[engines:], left, strict=True)])
    found.left.write_text("".join(f"{cycles} \n" for cycles in left))
    return found


def _engine(drawn: np.random.Generator, life: int, directions: np.ndarray) -> np.ndarray:
    """The settings and sensors of an engine until it fails, [T, 24]: wear grows faster and faster towards the end."""
    left = np.arange(life)[::-1]
    wear = np.exp(-left / 25.0) * drawn.uniform(0.8, 1.2)
    sensors = (
        500 + 10 * np.arange(21) + wear[:, None] * directions * 4 + drawn.normal(size=(life, 21)) * (directions != 0)
    )
    settings = np.round(drawn.normal(size=(life, 3)) * [0.002, 0.0003, 0], 4)
    return np.concatenate([settings, sensors], axis=1)


def _write(path: Path, engines: list[np.ndarray]) -> None:
    lines = [
        f"{number} {cycle} " + " ".join(f"{value:.4f}" for value in row) + "  \n"
        for number, engine in enumerate(engines, 1)
        for cycle, row in enumerate(engine, 1)
    ]
    path.write_text("".join(lines))
