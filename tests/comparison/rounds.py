"""Costs in one round: tests of other things need no steady times."""

import pytest

from loopcell.comparison import costs


@pytest.fixture(scope="session", autouse=True)
def one_round():
    """Let every comparison measure its cells once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "ROUNDS", 1)
        patch.setattr(costs, "FEWEST", 1)
        yield
