"""Defaults on small sets of long sequences: they learn, and a run that learned nothing says so."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import SequenceClassifier
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

STEPS = 100


def shapes(count, seed):
    """Arrays [100] of noise with a level, a ramp up or a ramp down in the first 70 steps; the last 30 are noise."""
    drawn = np.random.default_rng(seed)
    kinds = [index % 3 for index in range(count)]
    return [shape(kind, drawn) for kind in kinds], [("level", "up", "down")[kind] for kind in kinds]


def shape(kind, drawn):
    start = drawn.integers(5, 20)
    end = start + drawn.integers(20, 50)
    t = np.arange(STEPS)
    ramp = (np.ones(STEPS), (t - start) / (end - start), (end - t) / (end - start))[kind]
    return 6 * ramp * ((t >= start) & (t < end)) + drawn.normal(size=STEPS)


def trained(seed, **settings):
    """A model with defaults but for its size and the passes, which are there for speed: 220 updates."""
    model = SequenceClassifier(hidden_size=32, epochs=20, random_state=seed, device="cpu", **settings)
    return model.fit(*shapes(48, seed))


@pytest.mark.parametrize("seed", [1, 2])
def test_defaults_learn_a_small_set_of_long_sequences(seed):
    model = trained(seed)
    assert model.pooling_ == "max"
    assert model.get_params()["pooling"] == "auto"
    assert model.score(*shapes(150, 50 + seed)) > 0.6  # chance is 0.333


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_learned_nothing_says_so(seed):
    model = trained(seed, pooling="last", summaries=False, downsample=1)
    assert model.score(*shapes(150, 50 + seed)) < 0.4
    assert model.notes_[-1].startswith(("nothing was learned", "what was learned cannot be told from chance"))
    assert "pooling='mean'" in model.notes_[-1]
