"""Importing an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from loopcell.errors import FileFormatError, InputError, escaped
from loopcell.importing.contents import Contents, listed
from loopcell.importing.imported import Imported
from loopcell.importing.onnx.graph import GraphBuilder
from loopcell.importing.onnx.node import OnnxNode
from loopcell.importing.onnx.proto import as_tensor, attributes_of, opset, read_model


def from_onnx(model: Any, *, weights: Mapping[str, Any] | None = None) -> Imported:
    """Read a graph with RNN, LSTM and GRU nodes: each becomes a network, and the whole a module.

    Directions, both layouts, `linear_before_reset`, peepholes, `clip`, other activations with their alpha and beta,
    `input_forget`, initial states and `sequence_lens` are read as https://onnx.ai/onnx/operators has them; what is no
    cell of the library is written as equations. Around these nodes may stand the operators of
    `loopcell.importing.onnx.operators`.

    Args:
        model: a path, or an onnx.ModelProto. Weights have to lie in it, not in files beside it.
        weights: values of inputs of the graph that are weights, by name, as tensors or arrays.

    Returns:
        The result; its model takes and returns tensors by the names of the graph: `model({"X": x})["Y"]`. Networks go
        by the node's name, or where it has none by its first output.

    Raises:
        FileFormatError: the file is damaged or hostile; an operator, attribute or tensor is not read; a shape is off.
        InputError: `weights` names no input of the graph.
        MissingExtraError: the onnx package is not installed.
    """
    where = str(model) if isinstance(model, str | os.PathLike) else "the model"
    proto = read_model(model)
    graph, version = proto.graph, opset(proto, where)
    values = {entry.name: as_tensor(entry, where) for entry in graph.initializer}
    inputs = [entry.name for entry in graph.input if entry.name not in values]
    given = _given(weights or {}, inputs)
    nodes = [_node(entry, version, where) for entry in graph.node]
    built = GraphBuilder(nodes, values | given).build(
        [name for name in inputs if name not in given], [entry.name for entry in graph.output]
    )
    if not built.networks:
        raise FileFormatError(f"{where} has no RNN, LSTM or GRU node among those that its outputs come from")
    return Imported(built.eval(), built.networks, tuple(values | given))


def _given(weights: Mapping[str, Any], inputs: list[str]) -> dict[str, Tensor]:
    unknown = [name for name in weights if name not in inputs]
    if unknown:
        raise InputError(f"weights has {listed(unknown)}; the graph's inputs are {listed(inputs)}")
    return {name: torch.as_tensor(value) for name, value in weights.items()}


def _node(entry: Any, version: int, where: str) -> OnnxNode:
    outputs = tuple(entry.output)
    name = entry.name or next(filter(None, outputs), "")
    title = f"the {escaped(entry.op_type, 40)} node `{escaped(name, 80)}` of {where}"
    if entry.domain not in ("", "ai.onnx"):
        raise FileFormatError(f"{title} is of the domain `{escaped(entry.domain, 80)}`, whose operators are not read")
    attributes = Contents(title, attributes_of(entry, title))
    return OnnxNode(title, name, entry.op_type, tuple(entry.input), outputs, attributes, version)
