from __future__ import annotations

import pytest

from loopcell.cli.score_table import print_score
from loopcell.tasks.language_model.corpus import HeldOutFacts
from loopcell.tasks.language_model.score import Score


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("char", "held-out text: 9,000 characters, 3,000 tokens, 1,200 of them never seen in training"),
        ("word", "held-out text: 9,000 characters, 3,000 tokens, 1,200 of them never seen in training"),
        ("bpe", "held-out text: 9,000 characters, 3,000 tokens, 1,200 of them pieces that training was never cut into"),
    ],
)
def test_a_piece_that_training_was_not_cut_into_is_not_an_unknown_text(capsys, kind, said):
    """All that bpe reads is known to it; a piece is new where its letters stand in other company than in training."""
    facts = HeldOutFacts(units=9000, unit="char", lzma_bits=18000.0)
    print_score(Score(facts, 3000, 2.0, 3.0, 1200, kind).table())
    assert capsys.readouterr().out.splitlines()[0] == said
    print_score(Score(facts, 3000, 2.0, 3.0, 0, kind).table())
    assert capsys.readouterr().out.splitlines() == [
        "held-out text: 9,000 characters, 3,000 tokens",
        "            nats/char   bits/char  perplexity/token",
        "model          0.6667      0.9618              7.39",
        "unigram                    1.4427",
        "lzma                       2.0000",
    ]
