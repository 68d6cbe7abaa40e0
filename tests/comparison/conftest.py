"""What comparisons in tests have in common."""

from tests.comparison.rounds import one_round

__all__ = ["one_round"]
