"""A check that a cell returns its new states in the order of its arguments, judged by the names its author gave them.

Equations alone cannot tell: `return c, h` for the states (h, c) is a cell too, and nobody means it. That is an error
and no note, because what would be computed contradicts what is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_RENEWED = "new|next|nxt|now|cur|curr|current|upd|updated|after"
"""What authors put before or after a state's name for its new value: h_new, new_h, h_next."""

_OUTPUTS = {"y", "yt", "o", "out", "output", "outputs", "readout", "result", "logits", "pred", "prediction"}
"""Names that a value of a state does not have, but an output."""

_LETTERS = {"hidden": "h", "cell": "c", "memory": "c"}
"""The field's words and the letters that stand for them."""


class Returned(NamedTuple):
    """A value that a cell returns.

    Attributes:
        node: which value it is, by position; equal values are one node.
        names: the local variables that it was bound to.
        inner: the same in functions that the cell calls; they count less.
        moved: it is an old state, handed on as it came: a delay line, which says nothing of the order.
    """

    node: int
    names: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    moved: bool = False


def swapped(states: Sequence[str], returned: Sequence[Returned]) -> str:
    """Return a sentence where the names of what is returned contradict the order of the states, else "".

    Args:
        states: names of the states, in the order of the arguments.
        returned: one value a state, and an output before them if there is one more.
    """
    output, values = returned[: -len(states)], returned[-len(states) :]
    wrong = _misplaced(states, values) or _cycle(states, values)
    if not wrong and output and _output_last(states, output[0], values):
        wrong = {0: "output"}
    if not wrong:
        return ""
    shown, expected = ", ".join(map(_shown, returned)), ", ".join([*["the output"] * len(output), *states])
    place = next(iter(wrong))
    return (
        f"`{shown}` is returned, and taken as {expected}: `{_shown(values[place])}` would be the new {states[place]}; "
        f"return {', '.join(_in_order(states, returned))}, or rename the values if this order is meant"
    )


def _misplaced(states: Sequence[str], values: Sequence[Returned]) -> dict[int, str]:
    """Return which places hold a value that is named after another state, and after which."""
    wrong: dict[int, str] = {}
    for place, value in enumerate(values):
        if value.moved or states[place] in _reminds(value.names, states):
            continue
        for name in value.names:
            for state in _after(name, states):
                there = values[states.index(state)]
                exact = name.strip("_") == state
                if there.node != value.node and (exact or state not in _reminds(there.names, states)):
                    wrong.setdefault(place, state)
    return wrong


def _cycle(states: Sequence[str], values: Sequence[Returned]) -> dict[int, str]:
    """Return places whose values remind of each other's states, such as cy, hy for (h, c)."""
    towards: dict[int, int] = {}
    for place, value in enumerate(values):
        found = _reminds(value.names or value.inner, states)
        if len(found) == 1 and states[place] not in found and not value.moved:
            towards[place] = states.index(found.pop())
    for start in towards:
        path = [start]
        while path[-1] in towards and towards[path[-1]] not in path:
            path.append(towards[path[-1]])
        if towards.get(path[-1]) == start:
            return {place: states[towards[place]] for place in path}
    return {}


def _output_last(states: Sequence[str], output: Returned, values: Sequence[Returned]) -> bool:
    """Say whether the one state stands before an output, as in `return h, y`, instead of behind it."""
    last = values[0]
    renewed = len(states) == 1 and not output.moved and any(_after(name, states) for name in output.names)
    if not renewed or last.moved or not last.names or states[0] in _reminds(last.names, states):
        return False
    return output.node != last.node and _OUTPUTS.issuperset(name.strip("_").lower() for name in last.names)


def _after(name: str, states: Sequence[str]) -> set[str]:
    """Return the states whose new value a name says it is: h, h_new, new_h, h_t, ht."""
    bare = name.strip("_")
    if bare in states:
        return {bare}
    pattern = rf"(?:(?:{_RENEWED})_?)*{{}}(?:_?(?:{_RENEWED}|t))*"
    return {state for state in states if re.fullmatch(pattern.format(re.escape(state)), bare)}


def _reminds(names: Sequence[str], states: Sequence[str]) -> set[str]:
    """Return the states that names remind of: as a part of the name, or the name and up to two letters (hy, c1)."""
    found: set[str] = set()
    for name in names:
        parts = {_letter(part) for part in re.split(r"[_\d]+", name)} | {_letter(name)}
        loose = {state for state in states if _letter(state) in parts}
        glued = {state for state in states if re.fullmatch(rf"{re.escape(state)}\w{{1,2}}", name)}
        found |= _after(name, states) or loose or glued
    return found


def _letter(word: str) -> str:
    return _LETTERS.get(word.lower(), word.lower())


def _in_order(states: Sequence[str], returned: Sequence[Returned]) -> list[str]:
    """Return what to write: each state's own value where one is named after it, and what is left over in front."""
    left, ordered = list(returned), []
    for state in states:
        own = next((one for one in left if state in _reminds(one.names or one.inner, states)), None)
        if own is not None:
            left.remove(own)
        ordered.append(_shown(own) if own is not None else state)
    extra = len(returned) - len(states)
    return [*(_shown(one) for one in left[:extra]), *ordered]


def _shown(value: Returned) -> str:
    names = [name for name in value.names if not name.startswith("_")] or [*value.names, *value.inner]
    return names[0] if names else "..."
