"""Small models over a small text."""

from __future__ import annotations

import pytest
import torch

from loopcell.data import CharVocabulary
from tests.tasks.language_model.untrained import model_of, network
from tests.training.threads import one_thread

__all__ = ["model", "one_thread", "text"]

TEXT = "the cat sat on the mat. the dog ate the cat.\n" * 40


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def model():
    torch.manual_seed(1)
    settings = {"cell": "lstm", "hidden_size": 8, "num_layers": 2, "embedding_size": 5, "dropout": 0.5}
    made = network(CharVocabulary.build([TEXT]), **settings)
    made.token_counts += 1
    return model_of(made, **settings)
