"""The tools of the front end, for the test of the page."""

from tests.insight.conftest import modules

__all__ = ["modules"]
