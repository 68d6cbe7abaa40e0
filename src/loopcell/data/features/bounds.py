"""A check that features share."""

from __future__ import annotations

from loopcell.errors import UsageError


def check_positive(**sizes: int) -> None:
    """Refuse a size below 1; UsageError names it."""
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{name} is at least 1, got {size}")
