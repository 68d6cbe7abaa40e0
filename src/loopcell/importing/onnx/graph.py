"""An ONNX graph as a module: recurrent nodes as networks, what stands around them in plain PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from loopcell.errors import FileFormatError, InputError, LoopcellError, escaped
from loopcell.importing.building import Network
from loopcell.importing.contents import listed
from loopcell.importing.onnx.node import OnnxNode, Run
from loopcell.importing.onnx.operators import LARGEST, OPERATORS, REARRANGING
from loopcell.importing.onnx.recurrent import KINDS, WEIGHTS, OnnxRecurrent, build

_RUN_ERRORS = (RuntimeError, IndexError, TypeError, ValueError, AttributeError, KeyError, ZeroDivisionError)
"""What PyTorch raises for tensors that do not fit each other."""

Step = tuple[OnnxNode, Run | OnnxRecurrent]


class OnnxGraph(nn.Module):
    """A graph: named tensors in, named tensors out.

    Args:
        inputs: names of the tensors that a call takes.
        outputs: names of the tensors that it returns.
        steps: the nodes in order, with what runs each.
        learned: the file's floats that the steps read.
        fixed: all else that they read.
    """

    def __init__(
        self,
        inputs: Iterable[str],
        outputs: Iterable[str],
        steps: Sequence[Step],
        learned: Mapping[str, Tensor],
        fixed: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.input_names, self.output_names = tuple(inputs), tuple(outputs)
        self._steps = list(steps)
        self.recurrent = nn.ModuleList(run for _, run in steps if isinstance(run, OnnxRecurrent))
        self._places: dict[str, str] = {}  # a tensor's name may be anything, an attribute's not
        for name, tensor in learned.items():
            self.register_parameter(self._place(name), nn.Parameter(tensor))
        for name, tensor in fixed.items():
            self.register_buffer(self._place(name), tensor)

    def _place(self, name: str) -> str:
        return self._places.setdefault(name, f"value_{len(self._places)}")

    @property
    def networks(self) -> dict[str, Network]:
        """The recurrent networks by the node's name; with one a direction, the second is `NAME_reverse`."""
        found: dict[str, Network] = {}
        for node, run in self._steps:
            for suffix, net in zip(("", "_reverse"), getattr(run, "networks", ()), strict=False):
                found[f"{node.name}{suffix}"] = net
        return found

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the outputs by name.

        Raises:
            InputError: the inputs are no mapping; one is missing or unknown, or does not fit.
        """
        if not isinstance(inputs, Mapping):
            example = ", ".join(f'"{name}": ...' for name in self.input_names)
            raise InputError(f"the graph takes tensors by name, {{{example}}}; a {type(inputs).__name__} came")
        if set(inputs) != set(self.input_names):
            raise InputError(f"the graph takes {listed(self.input_names)}; {listed(inputs)} came")
        known: dict[str, Tensor] = {name: getattr(self, place) for name, place in self._places.items()}
        known.update(inputs)
        for node, run in self._steps:
            known.update(_outputs(node, run, [known.get(name) for name in node.inputs]))
        return {name: known[name] for name in self.output_names}


def _outputs(node: OnnxNode, run: Run | OnnxRecurrent, given: Sequence[Tensor | None]) -> dict[str, Tensor]:
    try:
        results = run(given)
    except LoopcellError:
        raise
    except _RUN_ERRORS as error:
        raise InputError(f"{node.where} cannot be computed: {str(error).partition(chr(10))[0]}") from error
    return {name: tensor for name, tensor in zip(node.outputs, results, strict=False) if name}


class GraphBuilder:
    """Builds the module of a graph from its nodes and the file's tensors.

    Args:
        nodes: in an order in which every node follows those that it reads.
        values: the file's tensors by name.
    """

    def __init__(self, nodes: Sequence[OnnxNode], values: Mapping[str, Tensor]) -> None:
        self._nodes, self._values = nodes, values
        self._constants = dict(values)
        self._room = LARGEST
        self._held: dict[str, Tensor] = {}  # of nodes of the operator Constant

    def build(self, inputs: Sequence[str], outputs: Sequence[str]) -> OnnxGraph:
        """Return the module.

        Args:
            inputs: names of what a call takes.
            outputs: names of what it returns.

        Raises:
            FileFormatError: an operator or attribute is not read, a weight is missing or computed, a tensor unused.
        """
        steps = [(node, run) for node in self._nodes if (run := self._run_of(node)) is not None]
        used = {name for node in self._nodes for name in node.inputs} | set(outputs)
        unused = [name for name in self._values if name not in used]
        if unused:
            raise FileFormatError(f"the graph has {listed(unused)}, which none of its nodes reads")
        steps, needed = _needed(steps, outputs)
        learned = {name: tensor for name, tensor in self._values.items() if tensor.is_floating_point()}
        fixed = {name: tensor for name, tensor in self._values.items() if name not in learned} | self._held
        return OnnxGraph(inputs, outputs, steps, _only(learned, needed), _only(fixed, needed))

    def _run_of(self, node: OnnxNode) -> Run | OnnxRecurrent | None:
        """Return what runs a node; None of one that only holds a constant."""
        if node.op in KINDS:
            return build(node, lambda place: self._weight(node, place))
        if node.op not in OPERATORS:
            known = ", ".join([*KINDS, *OPERATORS])
            raise FileFormatError(f"{node.where} is of an operator that is not read: {known} are")
        run = OPERATORS[node.op](node)
        node.attributes.finish()
        if node.op == "Constant":
            self._held[node.outputs[0]] = self._constants[node.outputs[0]] = run(())[0]
            return None
        self._fold(node, run)
        return run

    def _fold(self, node: OnnxNode, run: Run) -> None:
        """Note what a node computes from the file's tensors alone, as far as it only arranges them anew."""
        given = [self._constants.get(name) for name in node.inputs if name]
        known = [tensor for tensor in given if tensor is not None]
        size = sum(tensor.numel() for tensor in known)
        # A graph of a few bytes may double a tensor again and again.
        if node.op not in REARRANGING or len(known) != len(given) or size > self._room:
            return
        self._room -= size
        try:
            self._constants |= _outputs(node, run, [self._constants[name] if name else None for name in node.inputs])
        except InputError as error:  # of the file's own tensors
            raise FileFormatError(str(error)) from error

    def _weight(self, node: OnnxNode, place: int) -> Tensor | None:
        name = node.input(place)
        if name and name not in self._constants:
            raise FileFormatError(
                f"`{escaped(name, 80)}`, a weight of {node.where}, is none of the file's tensors: it is an input of "
                "the graph or computed; give the value of an input by weights={...}"
            )
        return self._constants[name] if name else None


def _needed(steps: Sequence[Step], outputs: Iterable[str]) -> tuple[list[Step], set[str]]:
    """Return the steps without which an output could not be computed, and the names of all that they read."""
    wanted, kept = set(outputs), list[Step]()
    for node, run in reversed(steps):
        if wanted.isdisjoint(node.outputs):
            continue
        kept.append((node, run))
        is_weight = WEIGHTS if isinstance(run, OnnxRecurrent) else ()
        wanted.update(name for place, name in enumerate(node.inputs) if name and place not in is_weight)
    return kept[::-1], wanted


def _only(tensors: Mapping[str, Tensor], names: set[str]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name in names}
