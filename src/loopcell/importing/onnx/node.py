"""One node of an ONNX graph, as the importer reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from loopcell.importing.contents import Contents

Run = Callable[[Sequence[Tensor | None]], tuple[Tensor, ...]]
"""What computes a node's outputs from its inputs; None stands for an input that is left out."""


@dataclass(frozen=True)
class OnnxNode:
    """A node.

    Attributes:
        where: the node as the start of a sentence.
        name: the node's name; of one without, the name of its first output.
        op: the operator.
        inputs: names of the inputs, "" where one is left out.
        outputs: names of the outputs, "" where nobody asks for one.
        attributes: each of which has to be taken.
        opset: the version of the operators.
    """

    where: str
    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Contents
    opset: int

    def input(self, index: int) -> str:
        """Return the name of an input, "" where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""
