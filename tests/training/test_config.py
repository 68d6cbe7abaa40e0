from __future__ import annotations

import pytest

from loopcell.errors import UsageError
from loopcell.training import RunLength, TrainingConfig, Truncation, configure


@pytest.mark.parametrize(
    ("k1", "k2", "chunk", "chunks_per_update", "window"),
    [(64, None, 64, 1, 1), (64, 64, 64, 1, 1), (64, 16, 16, 4, 1), (16, 64, 16, 1, 4)],
)
def test_truncation_becomes_chunks(k1, k2, chunk, chunks_per_update, window):
    made = Truncation(k1=k1, k2=k2)
    assert (made.chunk, made.chunks_per_update, made.window) == (chunk, chunks_per_update, window)


def test_k1_and_k2_that_do_not_fit():
    with pytest.raises(UsageError) as caught:
        configure(Truncation, {"k1": 64, "k2": 48})
    assert str(caught.value) == "of k1 and k2 one has to be a multiple of the other, got 64 and 48"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seed": -1}, "--seed: input should be greater than or equal to 0, got -1"),
        ({"seed": "x"}, "--seed: input should be a valid integer, unable to parse string as an integer, got 'x'"),
        ({"colour": 3}, "colour: extra inputs are not permitted, got 3"),
        ({"batch_size": 0}, "batch_size: input should be greater than 0, got 0"),
    ],
)
def test_a_wrong_setting_is_one_sentence(values, sentence):
    with pytest.raises(UsageError) as caught:
        configure(TrainingConfig, values, {"seed": "--seed"})
    assert str(caught.value) == sentence


def test_updates_count_instead_of_epochs():
    assert RunLength(epochs=3).total_updates(10) == 30
    assert RunLength(epochs=3, updates=7).total_updates(10) == 7


def test_a_configuration_survives_json():
    made = TrainingConfig(seed=5, truncation=Truncation(k1=8, k2=32))
    assert TrainingConfig.model_validate_json(made.model_dump_json()) == made
