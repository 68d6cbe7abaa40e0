"""Checks that features share."""

from __future__ import annotations

from loopcell.errors import UsageError

MOST = (1 << 31) - 1  # of a size, or Hz; what libraries of sound and images count with


def check_positive(**sizes: int) -> None:
    """Refuse a size below 1, or one that is absurd; UsageError names it."""
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{name} is at least 1, got {size}")
        if size > MOST:
            raise UsageError(f"{name} is at most {MOST:,}, got {float(size) if size < 1 << 1000 else 'far more'}")
