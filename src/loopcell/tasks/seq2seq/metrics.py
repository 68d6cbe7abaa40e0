"""Metrics of written texts: BLEU and chrF as sacrebleu computes them, and the share that is right to the letter."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from loopcell.errors import MissingExtraError


def text_metrics(true: Sequence[str], given: Sequence[str]) -> dict[str, float]:
    """Measure corpus BLEU (13a tokens, case counts) and chrF2, each 0 to 100, and exact match, 0 to 1.

    Papineni et al. 2002; Popović 2015; Post: A Call for Clarity in Reporting BLEU Scores, 2018.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    exact = sum(a == b for a, b in zip(true, given, strict=True)) / len(true)
    return {"BLEU": bleu(true, given), "chrF": chrf(true, given), "exact match": exact}


def bleu(true: Sequence[str], given: Sequence[str]) -> float:
    """Return the corpus BLEU, 0 to 100; errors as `text_metrics`."""
    # `force` leaves out a remark on standard error about texts that look tokenised; some data sets are.
    return float(_sacrebleu().corpus_bleu(list(given), [list(true)], force=True).score)


def chrf(true: Sequence[str], given: Sequence[str]) -> float:
    """Return the corpus chrF2, 0 to 100; errors as `text_metrics`."""
    return float(_sacrebleu().corpus_chrf(list(given), [list(true)]).score)


def distinct(texts: Sequence[str], size: int) -> float:
    """Return the share of different n-grams of words among all; 0 where there is none."""
    grams = [tuple(words[at : at + size]) for words in map(str.split, texts) for at in range(len(words) - size + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _sacrebleu() -> ModuleType:
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingExtraError('BLEU and chrF need sacrebleu: pip install "loopcell[train]"') from error
    found: ModuleType = sacrebleu
    return found
