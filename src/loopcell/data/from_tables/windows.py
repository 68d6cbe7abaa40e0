"""The windows of a unit: which of its rows make a sequence."""

from __future__ import annotations

from loopcell.data.from_tables.roles import Roles


def windows(rows: int, roles: Roles) -> list[slice]:
    """Return the windows of a unit of so many rows, in order.

    Where a sequence has one label, that of its last row, windows are counted back from the end of the unit, so that its
    last row is in one, and a unit with fewer rows than a window is one shorter sequence. Where each step has a label,
    they are counted from the beginning, and the rest is a shorter sequence: every row is in one.
    """
    if roles.window is None or not rows:
        return [slice(0, rows)] if rows else []
    found = _from_the_start(rows, roles) if roles.each_step else _to_the_end(rows, roles)
    return found[-1:] if roles.last else found


def _to_the_end(rows: int, roles: Roles) -> list[slice]:
    size = min(roles.window or rows, rows)
    return [slice(end - size, end) for end in range(rows, size - 1, -(roles.stride or 1))][::-1]


def _from_the_start(rows: int, roles: Roles) -> list[slice]:
    size = roles.window or rows
    stride = roles.stride or size
    starts = [start for start in range(0, rows, stride) if start == 0 or start + size - stride < rows]
    return [slice(start, min(start + size, rows)) for start in starts]
