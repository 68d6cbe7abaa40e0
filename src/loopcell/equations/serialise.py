"""Graphs as JSON: how a model file carries its cell, the author's source not needed.

A file is hostile until parsed: ops come from the closed table, operands must stand before their users,
and every shape is inferred anew; what the file says of shapes is not read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Bernoulli, Graph, Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.names import is_name, is_title
from loopcell.equations.ops import OPS
from loopcell.equations.verify import verify
from loopcell.errors import EquationError, FileFormatError, quoted

_MOST_NODES = 2_000  # no cell comes near; a file that does is an attack on memory
_READABLE_LEAVES = {"input", "state", "parameter", "random", "constant", "size"}


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """Return a graph as JSON-able data, with the sizes of its states, and of inputs that are no [input]."""
    return {
        "name": graph.name,
        "nodes": [_node_to_json(node) for node in graph.nodes],
        "results": {str(key): index for key, index in graph.results.items()},
        "sizes": {
            str(key): size for key, size in graph.declared_sizes.items() if key.kind == "state" or size != "input"
        },
    }


def graph_from_json(data: object) -> Graph:
    """Read back what `graph_to_json` gave.

    Raises:
        FileFormatError: the data is not a cell's graph.
    """
    try:
        return _read(data)
    except EquationError as error:
        raise FileFormatError(f"the file's equations contradict themselves: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"the file's equations cannot be read ({type(error).__name__}: {error})") from None


def fingerprint(graph: Graph) -> str:
    """Return the identity of a cell's equations: a hash over what they compute, whatever their names and lines."""
    nodes = [{key: value for key, value in _node_to_json(node).items() if key != "label"} for node in graph.nodes]
    # By the text of the keys: files hold this hash, so it must not change with how we hold keys in memory.
    results = sorted((str(key), index) for key, index in graph.results.items())
    lengths = {str(key): size for key, size in graph.declared_sizes.items() if key.kind == "input" and size != "input"}
    canonical = json.dumps([nodes, results, *([lengths] if lengths else [])], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _node_to_json(node: Node) -> dict[str, Any]:
    written: dict[str, Any] = {"op": node.op}
    if node.args:
        written["args"] = list(node.args)
    if node.name:
        written["name"] = node.name
    if node.value:
        written["value"] = node.value
    if node.random is not None:
        written["random"] = [node.random.probability, node.random.scale, node.random.each]
    if node.label:
        written["label"] = node.label
    if node.op == "random":
        written["size"] = node.dims[0]
    return written


def _read(data: Any) -> Graph:
    if len(data["nodes"]) > _MOST_NODES:
        raise ValueError(f"{len(data['nodes'])} nodes")
    builder = Builder(typed=False)
    values: list[Value] = []
    for written in data["nodes"]:
        values.append(_read_node(builder, written, values))
    results = {_result_key(key): _value(index, values) for key, index in data["results"].items()}
    sizes = dict.fromkeys((node.key for node in builder.nodes if node.op == "input"), "input")
    sizes |= {_sized_key(key, sizes): _size(key, size) for key, size in data["sizes"].items()}
    states = {key for key in sizes if key.kind != "input"}
    if OUTPUT not in results or set(results) - {OUTPUT} != states or not states:
        raise ValueError("outputs and states do not match")
    graph = verify(builder.build(_title(data["name"]), results), sizes)
    _demand_sizes(graph)
    return graph


def _demand_sizes(graph: Graph) -> None:
    """Refuse `size(n)` where no value is [n]: a network would not know that number."""
    known = {"input", "hidden"}.union(*(node.dims for node in graph.nodes))
    for _, node in graph.leaves("size"):
        if node.name not in known:
            raise ValueError(f"size({node.name}) is used, and no value has that length")


def _result_key(text: Any) -> Key:
    if text == str(OUTPUT):
        return OUTPUT
    key = Key.parse(str(text))
    if key.kind != "state":
        raise ValueError(f"result {quoted(text)}")
    return Key("state", _name(key.name))


def _sized_key(text: Any, inputs: Collection[Key]) -> Key:
    """Read whose size a file names: a state's, or that of an input that the equations read."""
    key = Key.parse(str(text))
    return key if key in inputs else _result_key(text)


def _size(of: str, name: Any) -> str:
    """Read the name of a size; "" of an input is one number."""
    return "" if name == "" and Key.parse(of).kind == "input" else _name(name)


def _read_node(builder: Builder, written: Mapping[str, Any], before: list[Value]) -> Value:
    op = written["op"]
    if op not in OPS or (OPS[op].rule == "leaf" and op not in _READABLE_LEAVES):
        raise ValueError(f"no op {quoted(op)}")
    args = tuple(_value(arg, before).index for arg in written.get("args", ()))
    if len(args) != OPS[op].arity:
        raise ValueError(f"{op} with {len(args)} operands")
    value = float(written.get("value", 0.0))
    if not math.isfinite(value):
        raise ValueError(f"a constant of {value}")
    name = _leaf_name(op, written.get("name", ""))
    shape = (_name(written["size"]),) if op == "random" else None
    made = builder.add(Node(op, args, shape, name, value, _read_random(written)))
    if written.get("label"):
        builder.label(made, _name(written["label"]))
    return made


def _leaf_name(op: str, name: Any) -> str:
    """Read a leaf's name: two words for a parameter, one for everything else that has a name."""
    if op == "parameter":
        space, _, gate = str(name).partition(".")
        return f"{_name(space)}.{_name(gate)}"
    return _name(name) if name or op in ("input", "state", "random", "size", "sized", "expand") else ""


def _read_random(written: Mapping[str, Any]) -> Bernoulli | None:
    if "random" not in written:
        return None
    probability, scale, each = written["random"]
    if each not in ("step", "sequence") or not 0 <= float(probability) <= 1 or not math.isfinite(float(scale)):
        raise ValueError(f"random {quoted(written['random'])}")
    return Bernoulli(float(probability), float(scale), each)


def _value(index: Any, before: list[Value]) -> Value:
    """Return the value that a place in the file has; equal nodes of a file are one value."""
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(before):
        raise ValueError(f"operand {quoted(index)}")
    return before[index]


def _name(name: Any) -> str:
    if not is_name(name):
        raise ValueError(f"name {quoted(name)}")
    return str(name)


def _title(name: Any) -> str:
    if not is_title(name):
        raise ValueError(f"name {quoted(name)}")
    return str(name)
