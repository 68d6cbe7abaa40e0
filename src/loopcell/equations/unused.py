"""Notes on what an author wrote and no result of the cell depends on: it vanishes from the graph, so it is said.

These are notes and no errors. Such equations are well defined and run as written, and there are honest reasons for
them: an ablation, a cell without recurrence to compare with, a value that only some settings use. The author silences
a note by using the value, by naming it `_i`, or by a filter on `EquationWarning`.
"""

from __future__ import annotations

import dis
import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import NamedTuple

from loopcell.equations.builder import Builder
from loopcell.equations.graph import Node

_MOST_SHOWN = 4


class TracedCell(NamedTuple):
    """The facts about a cell's function once it was read.

    Attributes:
        builder: with every node that was written, used or not.
        names: the author's names of nodes.
        written: the nodes that the author wrote, with the line of the cell's function.
        code: of the cell's function.
    """

    builder: Builder
    names: Mapping[int, Sequence[str]]
    written: Mapping[int, int]
    code: CodeType


def unused(reading: TracedCell, results: Sequence[int], namespaces: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each kind of thing that was written and has no effect.

    Args:
        reading: what was written.
        results: what the cell returns, by position in the builder.
        namespaces: the keyword-only arguments that hold parameters.
    """
    nodes = reading.builder.nodes
    used = _used(nodes, results)
    dead = [index for index in _ends(nodes, set(reading.written) - used) if _is_meant(reading, index)]
    lost = [nodes[index].name for index in sorted(_used(nodes, dead) - used) if nodes[index].op == "parameter"]
    if dead:
        yield _values(reading, dead, [name for name in lost if name not in {nodes[index].name for index in dead}])
    kept = {nodes[index].name.partition(".")[0] for index in used if nodes[index].op == "parameter"}
    kept |= {name.partition(".")[0] for name in lost}
    empty = [space for space in namespaces if space not in kept and space[0] != "_" and _is_idle(reading.code, space)]
    if empty:
        yield f"nothing uses {_listed(empty)}, so there are no such parameters; leave {_it(empty)} out of the arguments"
    if not any(nodes[index].op == "state" for index in used):
        states = [node.name for node in nodes if node.op == "state"]
        if not all(name.startswith("_") for name in states):
            yield f"this cell does not look back: nothing that it returns depends on {_listed(states, 'or')}"


def _operands(node: Node) -> tuple[int, ...]:
    """Return the operands whose numbers matter; what is mentioned for its length alone is not among them."""
    return {"like": node.args[:1], "length": ()}.get(node.op, node.args)


def _used(nodes: Sequence[Node], roots: Sequence[int]) -> set[int]:
    found, stack = set(roots), list(roots)
    while stack:
        before = set(_operands(nodes[stack.pop()])) - found
        found |= before
        stack += before
    return found


def _ends(nodes: Sequence[Node], candidates: set[int]) -> list[int]:
    """Return the candidates that are no operand: of a chain that leads nowhere, the last value."""
    operands = {arg for node in nodes for arg in _operands(node)}
    kinds = {index for index in candidates if nodes[index].op == "parameter" or nodes[index].args}
    return sorted(index for index in kinds - operands if nodes[index].op != "length")


def _is_meant(reading: TracedCell, index: int) -> bool:
    """Say whether the author would want to hear of it: not of `_`, nor of what another setting uses."""
    names = _names(reading, index)
    if any(name.rpartition(".")[2].startswith("_") for name in names) or (not names and _is_discarded(reading, index)):
        return False
    return not (_branches(reading.code) and any(name in _loaded(reading.code) for name in names))


def _names(reading: TracedCell, index: int) -> Sequence[str]:
    node = reading.builder.nodes[index]
    while node.op == "like":  # a draw that is as long as something else
        index = node.args[0]
        node = reading.builder.nodes[index]
    return reading.names.get(index) or ([node.name] if node.op == "parameter" else [])


def _is_discarded(reading: TracedCell, index: int) -> bool:
    """Say whether a value came up in a line such as `i, _, g = gates(x)`; of several `_` the last one is known."""
    line = linecache.getline(reading.code.co_filename, reading.written[index])
    return re.match(r"[^=(]*\b_\w*\b[^=(]*=[^=]", line) is not None


def _is_idle(code: CodeType, name: str) -> bool:
    """Say whether an argument has no use under any setting: never mentioned, or in a function that never branches."""
    return name not in _loaded(code) or not _branches(code)


def _loaded(code: CodeType) -> set[str]:
    loads = {str(step.argval) for step in dis.get_instructions(code) if step.opname.startswith("LOAD_FAST")}
    pairs = {name for one in loads for name in re.findall(r"\w+", one)}  # some Pythons load two variables at once
    return pairs | set(code.co_cellvars)


def _branches(code: CodeType) -> bool:
    return any("JUMP_IF" in step.opname or "POP_JUMP" in step.opname for step in dis.get_instructions(code))


def _values(reading: TracedCell, dead: Sequence[int], lost: Sequence[str]) -> str:
    shown = [_shown(reading, index) for index in dead[:_MOST_SHOWN]]
    more = [f"{len(dead) - _MOST_SHOWN} more"] if len(dead) > _MOST_SHOWN else []
    are = "is" if len(dead) == 1 else "are"
    without = f", and {_listed(lost[:12])}{' ...' * (len(lost) > 12)} with {_it(dead)}" if lost else ""
    return f"{_joined([*shown, *more])} {are} computed and not used{without}"


def _shown(reading: TracedCell, index: int) -> str:
    names, line = _names(reading, index), reading.builder.nodes[index].line
    if line is None:
        return f"`{names[0]}`" if names else "a value"
    where = f"line {line.number} of {line.file}"
    return f"`{names[0]}` ({where})" if names else f"a value of {where} (`{line.source[:80]}`)"


def _listed(names: Sequence[str], last: str = "and") -> str:
    return _joined([f"`{name}`" for name in names], last)


def _joined(parts: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _it(what: Sequence[object]) -> str:
    return "it" if len(what) == 1 else "them"
